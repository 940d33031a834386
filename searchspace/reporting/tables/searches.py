"""The table of searches: one row for each search."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from optuna.trial import TrialState

from searchspace.finals.formatting import format_interval_cell, score_with_interval
from searchspace.preparation.resume import is_exported
from searchspace.reporting.results import SearchResults, read_results, reading_search
from searchspace.reporting.tables.table import Row
from searchspace.reporting.tables.trials import STATE_LABELS
from searchspace.spec import load_spec
from searchspace.storage.search_names import searches_below
from trainables.common.errors import DamagedError, UserError

SEARCH_COLUMNS = (
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
            return search_row(read_results(folder))
    except UserError as error:
        why = str(error).removeprefix(f"{str(folder)!r}: ")
        status = "damaged" if isinstance(error, DamagedError) else "unreadable"
    known: dict[str, Any] = {"search": folder.name, "status": status, "problem": why}
    with suppress(UserError):
        spec = load_spec(folder)
        known |= {"data": spec.data_name, "trials": f"?/{spec.trials}", "metric": spec.metric}
    return dict.fromkeys(SEARCH_COLUMNS) | known


def format_problems(rows: Sequence[Row]) -> list[str]:
    """A line on each search that cannot be read."""
    return [f"search {row['search']!r}: {row['problem']}" for row in rows if row["problem"]]


def search_row(results: SearchResults) -> dict[str, Any]:
    """What a search was, and its results so far."""
    spec, trials = results.spec, results.trials
    counts = {state: sum(t.state == state for t in trials) for state in STATE_LABELS}
    metrics = results.winner.metrics if results.winner.is_tested else None
    best = results.winner.shipment.recommended_file if results.winner.shipment else None
    winner = next(iter(results.finalists), None)
    complete = [t.value for t in trials if t.state == TrialState.COMPLETE and t.value is not None]
    return {
        "search": spec.name,
        "data": spec.data_name,
        "status": _status(results),
        "trials": spec.format_count(len(trials)),
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
        "seconds": results.record.get("took", {}).get("total"),
        "problem": "",
    }


def _status(results: SearchResults) -> str:
    """State of a search; an unfinished one may be running or cut off, which its folder does not show."""
    if is_exported(results.study, results.spec):
        return "finished"
    return "in finals" if results.finalists else "unfinished"
