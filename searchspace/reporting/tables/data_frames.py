"""Tables of a search as pandas data frames: exact figures in typed columns, one row a trial, finalist or class."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from searchspace.finals.finalist import Finalist
from searchspace.reporting.results import SearchResults
from searchspace.reporting.tables.exported_files_table import cost_columns
from searchspace.reporting.tables.finalists import costs_of, finalist_roles
from searchspace.reporting.tables.trials import rank_trials
from searchspace.study.trial_attributes import read_config
from trainables.metrics.class_metrics import TestMetrics

if TYPE_CHECKING:
    import pandas as pd

DATE_COLUMN = "datetime_start"
"""Column with times, ISO 8601 with a zone."""


def make_frame(rows: Sequence[Mapping[str, Any]]) -> "pd.DataFrame":
    """A data frame of rows that share their columns.

    Whole numbers are `int64`, or `Int64` where some are missing; other numbers are `float64`, with NaN; so is a column
    without a value. Times are UTC.
    """
    import pandas as pd

    columns = {name: _typed(name, [row[name] for row in rows]) for name in (rows[0] if rows else ())}
    return pd.DataFrame(columns)


def _typed(name: str, values: list[Any]) -> "pd.Series[Any]":
    import pandas as pd

    known = [value for value in values if value is not None]
    missing = len(known) < len(values)
    if name == DATE_COLUMN:
        return pd.to_datetime(pd.Series(values, dtype=object), utc=True, format="ISO8601")
    if known and all(isinstance(value, bool) for value in known):
        return pd.Series(values, dtype="boolean" if missing else "bool")
    if known and all(isinstance(value, int) and not isinstance(value, bool) for value in known):
        return pd.Series(values, dtype="Int64" if missing else "int64")
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        return pd.Series(values, dtype="float64")
    return pd.Series(values, dtype=object)


def leaderboard_frame(results: SearchResults) -> "pd.DataFrame":
    """All trials, ranked as `leaderboard.csv` ranks them."""
    return make_frame(rank_trials(results.study))


def finalists_frame(results: SearchResults) -> "pd.DataFrame":
    """The finalists, the winner first; no rows before the finals."""
    roles = finalist_roles(results.finalists, results.baseline)
    return make_frame([_finalist_row(results, f, role) for f, role in zip(results.finalists, roles, strict=True)])


def _finalist_row(results: SearchResults, finalist: Finalist, role: str) -> dict[str, Any]:
    comparison, members = finalist.comparison, finalist.members
    cost = costs_of(results.study).get(members[0]) if len(members) == 1 else None
    return {
        "trial": finalist.name, "role": role, "model": _models(results, members), "members": members,
        "search_score": finalist.search_score, "score": finalist.score, "deviation": finalist.deviation,
        "scores": finalist.scores, "seeds": len(finalist.scores), "val_loss": finalist.val_loss,
        "seconds": finalist.seconds, **cost_columns(cost),
        "difference": comparison.difference if comparison else 0.0,
        "difference_low": comparison.low if comparison else None,
        "difference_high": comparison.high if comparison else None,
        "outcome": comparison.outcome.value if comparison else "winner",
    }  # fmt: skip


def _models(results: SearchResults, members: Iterable[int]) -> str:
    """Architectures of the members' trials, each once."""
    trials = {trial.number: trial for trial in results.trials}
    return ", ".join(dict.fromkeys(read_config(trials[number]).model for number in members))


def class_frame(metrics: TestMetrics) -> "pd.DataFrame":
    """One row a class, in label order: precision, recall and F1 against the rest, and their 95 % intervals."""
    names = ("precision", "recall", "f1")
    rows = []
    for each in metrics.classes:
        row: dict[str, Any] = {"class": each.name, "images": each.count}
        for name in names:
            low, high = getattr(each, f"{name}_interval") or (None, None)
            row |= {name: getattr(each, name), f"{name}_low": low, f"{name}_high": high}
        rows.append(row)
    return make_frame(rows)
