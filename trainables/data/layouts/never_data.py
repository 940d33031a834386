"""Files and folders that are never data: hidden ones, those of operating systems, searches' results, tools' logs."""

import os
from pathlib import Path

from trainables.data.layouts.image_files import PICTURES, kind_of

SYSTEM_NAMES = frozenset({
    "__macosx", "icon\r", "network trash folder", "temporary items",  # macOS
    "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information", "found.000",  # Windows
    "lost+found", "@eadir", "#recycle", "#snapshot", "@recycle", "@tmp",  # file systems and network storage
})  # fmt: skip
"""Names that systems create in folders, in lower case, besides those with a leading dot."""
TOOL_FOLDERS = frozenset({"mlruns", "mlartifacts", "wandb", "lightning_logs", "__pycache__", "node_modules"})
"""Folders of tools' logs or caches."""
SEARCH_MARKS = ("study.journal", "search.log", "trials", "winner", "leaderboard.csv")
"""Names beside `search.json` in a search's results."""
WINNER_MARKS = ("artefacts.json", "model.json")
"""Names that are both in a winner's folder."""
RESULTS_DEPTH = 4
"""Number of levels below a folder in which searches' results are looked for."""


def is_hidden(name: str) -> bool:
    """Whether a file of this name is hidden or belongs to the operating system, in any case."""
    return name.startswith(".") or name.casefold() in SYSTEM_NAMES


def is_output(folder: Path) -> bool:
    """Whether a folder is a search's results, holds only searches' results, or is a tool's log."""
    return _is_result(folder) or bool(_holds_results(folder, RESULTS_DEPTH))


def _holds_results(folder: Path, depth: int) -> bool | None:
    """Whether there are results in a folder, down to `depth` levels; None if there are images beside them."""
    found = False
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_hidden(entry.name):
                    continue
                inside = _is_inner_result(entry, depth) if entry.is_dir() else _is_log(entry)
                if inside is None:
                    return None
                found |= inside
    except OSError:  # reported when the folder is listed
        return False
    return found


def _is_inner_result(entry: "os.DirEntry[str]", depth: int) -> bool | None:
    """As `_holds_results` for a folder in another one; links are not followed."""
    if _is_result(Path(entry.path)):
        return True
    if entry.is_symlink():
        return None
    return _holds_results(Path(entry.path), depth - 1) if depth else False


def _is_log(entry: "os.DirEntry[str]") -> bool | None:
    """Whether a file is a tool's log; None if it is an image."""
    if kind_of(Path(entry.path)) in PICTURES:
        return None
    return entry.name == "mlflow.db"


def _is_result(folder: Path) -> bool:
    """Whether a folder is a tool's log, a search's results, complete or interrupted, or its winner."""
    return (
        folder.name in TOOL_FOLDERS
        or (folder / "search.lock").is_file()
        or ((folder / "search.json").is_file() and any((folder / name).exists() for name in SEARCH_MARKS))
        or all((folder / name).is_file() for name in WINNER_MARKS)
    )
