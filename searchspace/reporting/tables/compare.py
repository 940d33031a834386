"""Two trials of a search, or two searches, side by side: their differences and their results."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from searchspace.finals.finalist import read_finalists
from searchspace.reporting.results import SearchResults, read_results, reading_search
from searchspace.reporting.tables.exported_files_table import cost_columns
from searchspace.reporting.tables.searches import search_row
from searchspace.reporting.tables.table import Row, round_value
from searchspace.reporting.tables.trials import format_status
from searchspace.spec import load_facts, load_spec
from searchspace.storage.search_names import searches_below
from searchspace.study.refusals import is_refused
from searchspace.study.study import StudyReader
from searchspace.study.trial_attributes import read_config, read_curve, read_trial_cost
from trainables.common.errors import UserError, suggest
from trainables.export.model_info import AnyModelInfo, ModelInfo

Pair = tuple[str, str]
COMPARED_EPOCHS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Epochs of two curves that are set side by side, where both have them."""


def compare_trials(study: StudyReader, names: Pair) -> list[Row]:
    """The differences between two trials of a search; raises `UserError` where one was never trained."""
    trials = {str(t.number): t for t in study.get_trials(deepcopy=False) if "config" in t.user_attrs}
    known = {number: trial for number, trial in trials.items() if not is_refused(trial)}
    for name in names:
        if name not in known:
            raise UserError(f"--compare {name!r}: no such trial; give two numbers of its {len(known)}, as boards do")
    one, other = (_trial_facts(study, known[name]) for name in names)
    return _side_by_side(names, one, other, always=("score", "best_epoch", "seconds"))


def _trial_facts(study: StudyReader, trial: FrozenTrial) -> dict[str, Any]:
    curve = [report for report in read_curve(trial) if report.status != "failed"]
    best = max(curve, key=lambda report: report.score, default=None)
    scores = {finalist.name: finalist.score for finalist in read_finalists(study)}
    return {
        **read_config(trial).hyperparameters,
        "status": format_status(trial),
        "reason": trial.user_attrs.get("reason", ""),
        "epochs": len(curve),
        **{f"score at epoch {r.epoch}": r.score for r in curve if r.epoch in COMPARED_EPOCHS},
        "best_epoch": best.epoch if best else None,
        "best_score": best.score if best else None,
        "score": curve[-1].score if curve else None,
        "val_loss": curve[-1].val_loss if curve else None,
        "train_loss": curve[-1].train_loss if curve else None,
        "as finalist, fresh seeds": scores.get(trial.number),
        "seconds": curve[-1].total_seconds if curve else None,
        "images_per_second": curve[-1].images_per_second if curve else None,
        "parameters": curve[-1].parameters if curve else None,
        **cost_columns(read_trial_cost(trial)),
    }


def compare_searches(results: Path, names: Pair) -> list[Row]:
    """The differences between two searches under `results`; raises `UserError` where one is not there."""
    known = searches_below(results)
    for name in names:
        if name not in known:
            raise UserError(f"--compare {name!r}: no such search under {str(results)!r}{suggest(name, known)}")
    one, other = (_search_facts(results / name) for name in names)
    return _side_by_side(names, one, other, always=("data", "metric", "winner_val", "test_score", "seconds"))


def format_incomparable(results: Path, names: Pair) -> list[str]:
    """Why two searches' scores say nothing of each other."""
    facts = [load_facts(results / name) for name in names]
    prints = [fact.get("data", {}).get("fingerprint") for fact in facts]
    metrics = [load_spec(results / name).metric for name in names]
    differ = {"data (fingerprints)": prints, "metrics": metrics}
    return [
        f"NOT COMPARABLE: their {what} differ: {one} and {other}"
        for what, (one, other) in differ.items()
        if one != other
    ]


def _search_facts(folder: Path) -> dict[str, Any]:
    with reading_search(folder):
        return _read_facts(read_results(folder))


def _read_facts(results: SearchResults) -> dict[str, Any]:
    spec, facts = results.spec, results.record
    options = spec.model_dump(mode="json", exclude={"name", "results", "data", "metric", "study"})
    config = _config(results.winner.info) if results.winner.is_trained else {}
    return {
        "data": spec.data_name,
        "fingerprint": facts.get("data", {}).get("fingerprint"),
        "metric": spec.metric,
        **{name: _plain(value) for name, value in options.items()},
        "machine": _plain(facts.get("machine")),
        "gangs": _plain(facts.get("gangs")),
        "commit": facts.get("git_commit"),
        **{f"version of {name}": version for name, version in facts.get("versions", {}).items()},
        **{f"winner's {name}": value for name, value in config.items()},
        **{name: value for name, value in search_row(results).items() if name not in {"search", "data", "metric"}},
    }


def _config(card: AnyModelInfo) -> dict[str, Any]:
    return card.config.hyperparameters if isinstance(card, ModelInfo) else {}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {item}" for name, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def brief_comparison(rows: Sequence[Row]) -> list[Row]:
    """Such rows with figures as short as people read them, by what they are of."""
    return [{name: round_value(_column(row["what"]), value) for name, value in row.items()} for row in rows]


def _column(what: str) -> str:
    """The board's column that a fact is like: `score at epoch 4` is a score."""
    return "score" if what.startswith(("score ", "as finalist")) else what


def _side_by_side(names: Pair, one: Row, other: Row, always: tuple[str, ...]) -> list[Row]:
    """A row for each fact that differs, or is `always` wanted."""
    return [
        {"what": what, names[0]: one.get(what), names[1]: other.get(what)}
        for what in dict.fromkeys([*one, *other])
        if one.get(what) != other.get(what) or (what in always and one.get(what) is not None)
    ]
