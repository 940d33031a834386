"""What must hold of a search after whatever befell it, and nothing of it may be left running."""

import hashlib
import json
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from optuna.trial import FrozenTrial, TrialState

from searchspace.spec import load_spec
from searchspace.storage.search_folder import JOURNAL
from searchspace.study.refusals import is_refused
from searchspace.study.study import load_study
from searchspace.study.trial_attributes import is_revived, read_config, read_curve

MARK = "SEARCHSPACE_TEST"
"""Environment variable that every process of one test's searches inherits."""
GONE = 30.0
"""Seconds that processes have to be gone."""


@dataclass(frozen=True)
class Snapshot:
    """The finished trials of a search at one moment."""

    trials: dict[int, tuple[Any, ...]]

    @classmethod
    def take(cls, folder: Path) -> "Snapshot":
        return cls({t.number: _facts(t) for t in asked(folder) if t.state.is_finished()})


def _facts(trial: FrozenTrial) -> tuple[Any, ...]:
    curve = [report.model_dump_json() for report in read_curve(trial)]
    return trial.state, trial.params, trial.value, trial.intermediate_values, curve


def asked(folder: Path) -> list[FrozenTrial]:
    """The search's own trials: neither refused nor revived, nor only enqueued."""
    trials = load_study(load_spec(folder), folder).get_trials(deepcopy=False)
    return [t for t in trials if "config" in t.user_attrs and not is_refused(t) and not is_revived(t)]


def check(folder: Path, trials: int, before: Snapshot | None = None) -> None:
    """Exactly so many distinct trials, none open, none changed; each epoch once; every checkpoint whole."""
    found = asked(folder)
    assert len(found) == trials
    assert len({read_config(trial) for trial in found}) == trials, "no configuration twice"
    assert {t.state for t in found} <= {TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL}
    for trial in found:
        epochs = [report.epoch for report in read_curve(trial) if report.status != "failed"]
        assert epochs == list(range(1, len(epochs) + 1)), f"trial {trial.number}: every epoch, in order"
        assert sorted(trial.intermediate_values) == epochs
    if (folder / JOURNAL).is_file():
        assert [key for key, count in epochs_in_journal(folder).items() if count > 1] == [], "each epoch recorded once"
    for number, facts in (before.trials if before else {}).items():
        assert _facts(next(t for t in found if t.number == number)) == facts, f"trial {number} was changed"
    check_checkpoints(folder)


def epochs_in_journal(folder: Path) -> Counter[tuple[int, int]]:
    """How often each (trial, epoch) was recorded; every line is whole."""
    lines = [json.loads(line) for line in (folder / JOURNAL).read_text().splitlines()]
    return Counter((line["trial_id"], line["step"]) for line in lines if "intermediate_value" in line)


def check_checkpoints(folder: Path) -> None:
    """Every checkpoint's hash is right."""
    for index in folder.glob("trials/*/checkpoints/checkpoint.json"):
        facts = json.loads(index.read_text())
        content = (index.parent / facts["file"]).read_bytes()
        assert hashlib.blake2b(content, digest_size=16).hexdigest() == facts["blake2b"], index


def processes(mark: str) -> list[psutil.Process]:
    """Processes that carry a test's mark."""
    return [process for process in psutil.process_iter() if _mark_of(process) == mark]


def _mark_of(process: psutil.Process) -> str:
    try:
        return process.environ().get(MARK, "") if process.status() != psutil.STATUS_ZOMBIE else ""
    except (psutil.Error, OSError):
        return ""


def check_nothing_left(mark: str) -> None:
    """No process of a test's searches lives on: so no actor, placement group or reservation of theirs does."""
    deadline = time.monotonic() + GONE
    while (left := processes(mark)) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert [" ".join(process.cmdline())[:120] for process in left] == []
