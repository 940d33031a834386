"""One row a search."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from optuna.trial import TrialState

from searchspace.finals.finalist import read_finalists
from searchspace.finals.formatting import format_interval_cell, score_with_interval
from searchspace.preparation.resume import is_done
from searchspace.reporting.damaged_results import reading_search
from searchspace.reporting.tables.table import Row
from searchspace.reporting.tables.trials import STATUS
from searchspace.spec import SearchSpec, load_facts, load_spec
from searchspace.storage.search_folder import WINNER
from searchspace.storage.search_names import searches_below
from searchspace.study.study import StudyReader
from searchspace.study.study_snapshot import read_study
from searchspace.study.trial_attributes import is_refused
from trainables.common.errors import DamagedError, UserError
from trainables.export.exported_files import read_export_record
from trainables.metrics.class_metrics import TestMetrics
from trainables.storage.files import is_file, read_record

COLUMNS = (
    "search", "data", "status", "trials", "complete", "stopped", "failed", "best", "winner", "winner_val", "metric",
    "test_score", "95_%_interval", "test_accuracy", "latency_ms", "size_mb", "seconds", "problem",
)  # fmt: skip
"""Of a row, in order; of a search that cannot be read most are empty."""


def rank_searches(results: Path) -> list[Row]:
    """One row a search under `results`, the best tested winner first."""
    rows = [_row_of_any(results / name) for name in searches_below(results)]
    return sorted(rows, key=lambda row: -(row["test_accuracy"] or 0.0))


def _row_of_any(folder: Path) -> dict[str, Any]:
    """The row of a search, or of one that cannot be read, with the reason: one search ends no board."""
    try:
        with reading_search(folder):
            return search_row(folder)
    except UserError as error:
        why = str(error).removeprefix(f"{str(folder)!r}: ")
        status = "damaged" if isinstance(error, DamagedError) else "unreadable"
    known: dict[str, Any] = {"search": folder.name, "status": status, "problem": why}
    with suppress(UserError):
        spec = load_spec(folder)
        known |= {"data": spec.data_name, "trials": f"?/{spec.trials}", "metric": spec.metric}
    return dict.fromkeys(COLUMNS) | known


def problems(rows: Sequence[Row]) -> list[str]:
    """A line on each search that cannot be read."""
    return [f"search {row['search']!r}: {row['problem']}" for row in rows if row["problem"]]


def search_row(folder: Path) -> dict[str, Any]:
    """What the search in `folder` was, and what has come of it so far."""
    spec, took = load_spec(folder), load_facts(folder).get("took", {})
    study = read_study(spec, folder)
    trials = [trial for trial in study.get_trials(deepcopy=False) if not is_refused(trial)]
    counts = {state: sum(t.state == state for t in trials) for state in STATUS}
    metrics = _read_metrics(folder / WINNER / "metrics.json")
    shipment = read_export_record(folder / WINNER)
    best = shipment.recommended_file if shipment else None
    winner = next(iter(read_finalists(study)), None)
    complete = [t.value for t in trials if t.state == TrialState.COMPLETE and t.value is not None]
    return {
        "search": spec.name,
        "data": spec.data_name,
        "status": _status(study, spec),
        "trials": f"{len(trials)}/{spec.trials}",
        "complete": counts[TrialState.COMPLETE],
        "stopped": counts[TrialState.PRUNED],
        "failed": counts[TrialState.FAIL],
        "best": max(complete) if complete else None,
        "winner": winner.name if winner else None,
        "winner_val": winner.score if winner else None,
        "metric": spec.metric,
        "test_score": score_with_interval(spec.metric, metrics)[0] if metrics else None,
        "95_%_interval": format_interval_cell(spec.metric, metrics) if metrics else "",
        "test_accuracy": metrics.accuracy if metrics else None,
        "latency_ms": best.speed.latency_ms if best else None,
        "size_mb": best.size_mb if best else None,
        "seconds": took.get("total"),
        "problem": "",
    }


def _status(study: StudyReader, spec: SearchSpec) -> str:
    """A search that is not finished may be running or cut off; its folder does not tell which."""
    if is_done(study, spec.trials):
        return "finished"
    return "in finals" if read_finalists(study) else "unfinished"


def _read_metrics(file: Path) -> TestMetrics | None:
    return read_record(file, TestMetrics) if is_file(file) else None
