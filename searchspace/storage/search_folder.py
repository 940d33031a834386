"""The names of what a search leaves in its folder, and the folders of its trials: all of them are made here."""

import re
from pathlib import Path

from trainables.storage.folders import list_folder

SEARCH_RECORD = "search.json"
"""The record: options, versions, data, machine."""
JOURNAL = "study.journal"
"""The Optuna study, unless it is in a database."""
SEARCH_LOG = "search.log"
"""Output of Ray and other libraries."""
LEADERBOARD = "leaderboard.csv"
"""All trials, ranked."""
CODE = "code"
"""Folder of the source of the user's own parts."""
TRIALS = "trials"
"""Folder of the trials' folders."""
WINNER = "winner"
"""Folder of the winner: weights, exported files, test results."""
STUDENT = "student"
"""Folder of the winner's student; the same files."""


def trial_name(number: int) -> str:
    """`trial-7`: name of a trial of the search."""
    return f"trial-{number}"


def final_name(number: int, seed_index: int, fold: int | None = None) -> str:
    """`final-7-1`: name of the training of finalist 7 from fresh seed 1; with a fold `final-7-1-fold-3`."""
    return f"final-{number}-{seed_index}" + ("" if fold is None else f"-fold-{fold}")


def trial_folder(search: Path, name: str) -> Path:
    """Folder of the trial or final `name` of the search in the folder `search`."""
    return search / TRIALS / name


def earlier_winners(search: Path) -> list[Path]:
    """Folders of the winners that a search had before it was extended; each has opened the test split."""
    return [search / name for name in list_folder(search) if re.match(f"{WINNER}-[0-9]", name)]


def archived_names(search: Path) -> dict[str, str]:
    """New names of the folders that make room for another winner: `winner` becomes `winner-1`, its student likewise."""
    index = len(earlier_winners(search)) + 1
    return {name: f"{name}-{index}" for name in (STUDENT, WINNER)}
