"""Leaderboards: `python -m searchspace.leaderboard [results/NAME]` ranks one search's trials, or all searches."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import optuna
import typer
from optuna.trial import FrozenTrial, TrialState

from searchspace.export import ONNX
from searchspace.pareto import pareto_rows
from searchspace.spec import SearchSpec, load_spec
from searchspace.study import cost_of, curve_of, get_record, is_refused, is_waiting, load_study
from searchspace.verdict import Comparison, Finalist
from searchspace.wording import metric_of, say_amount, say_interval
from trainables.config import TrialConfig
from trainables.deploy.cost import ArchitectureCost
from trainables.errors import UserError

Row = Mapping[str, Any]
Costs = Mapping[int, ArchitectureCost | None]
Format = Literal["table", "csv", "json", "md"]
STATUS = {
    TrialState.COMPLETE: "complete", TrialState.PRUNED: "stopped", TrialState.FAIL: "failed",
    TrialState.RUNNING: "running", TrialState.WAITING: "waiting",
}  # fmt: skip
ORDER = {TrialState.COMPLETE: 0, TrialState.RUNNING: 1, TrialState.PRUNED: 1, TrialState.WAITING: 2, TrialState.FAIL: 3}
SCORES = {"score", "search_score", "best", "winner_val", "test_accuracy"}


def rank_trials(study: optuna.Study) -> list[Row]:
    """One row a trial: full-length ones first, then by how far they came, then by score; fidelities never mix."""
    trials = [trial for trial in study.get_trials(deepcopy=False) if not is_refused(trial)]
    varying = _varying_names(trials)
    ranked = sorted(trials, key=lambda t: (ORDER[t.state], -_epoch(t), -_score(t), t.number))
    return [{"rank": rank, **_trial_row(trial, varying)} for rank, trial in enumerate(ranked, start=1)]


def _trial_row(trial: FrozenTrial, varying: Sequence[str]) -> dict[str, Any]:
    curve, cost = curve_of(trial), cost_of(trial)
    return {
        "trial": trial.number,
        "status": "at rung" if is_waiting(trial) else STATUS[trial.state],
        "score": round(_score(trial), 4) if trial.intermediate_values else None,
        "epoch": _epoch(trial),
        **{name: _short(trial.params.get(name)) for name in varying},
        "seconds": round(curve[-1].total_seconds, 1) if curve else None,
        "parameters": cost.parameters if cost else curve[-1].parameters if curve else None,
        **_shipped(cost),
        "reason": trial.user_attrs.get("reason", ""),
    }


def _shipped(cost: ArchitectureCost | None) -> dict[str, Any]:
    """What was measured of a network as it would be shipped."""
    names = ("latency_ms", "size_mb", "memory_mb")
    return {name: _short(getattr(cost, name)) if cost else None for name in names}


def _varying_names(trials: Sequence[FrozenTrial]) -> list[str]:
    """Hyperparameters that differ between trials, in `TrialConfig`'s order, the model first of all."""
    seen = {name for trial in trials for name in trial.params}
    values = {name: {repr(t.params[name]) for t in trials if name in t.params} for name in seen}
    return [n for n in TrialConfig.model_fields if n == "model" or len(values.get(n, ())) > 1]


def _epoch(trial: FrozenTrial) -> int:
    return max(trial.intermediate_values, default=0)


def _score(trial: FrozenTrial) -> float:
    return trial.intermediate_values.get(_epoch(trial), 0.0)


def _short(value: Any) -> Any:
    return float(f"{value:.3g}") if isinstance(value, float) else value


def read_finalists(study: optuna.Study) -> tuple[Finalist, ...]:
    """The finalists of a search, the winner first; none before the finals."""
    return tuple(Finalist.model_validate(record) for record in get_record(study, "finalists") or [])


def costs_of(study: optuna.Study) -> Costs:
    """What each trial's architecture costs, where that was measured."""
    return {trial.number: cost_of(trial) for trial in study.get_trials(deepcopy=False)}


def _cost_of(finalist: Finalist, costs: Costs) -> ArchitectureCost | None:
    """What its architecture costs; an ensemble's was not measured."""
    return costs.get(finalist.members[0]) if len(finalist.members) == 1 else None


def finalist_rows(metric: str, finalists: Sequence[Finalist], costs: Costs) -> list[Row]:
    """One row a finalist, the winner first; `costs` are what the trials' architectures cost."""
    return [
        {
            "trial": f.name, "search_score": _rounded(f.search_score), "score": _rounded(f.score),
            "deviation": _rounded(f.deviation), "seeds": len(f.scores), "drop": _rounded(f.drop),
            "val_loss": _rounded(f.val_loss), "seconds": round(f.seconds, 1), **_shipped(_cost_of(f, costs)),
            "behind": say_amount(metric, f.behind.difference) if f.behind else "",
            "95_%_interval": say_interval(metric, f.behind) if f.behind else "",
            "told_apart": _told(f.behind) if f.behind else "the winner",
        }
        for f in finalists
    ]  # fmt: skip


def _told(behind: Comparison) -> str:
    return "unknown" if behind.low is None else "yes" if behind.told_apart else "no"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def rank_searches(results: Path) -> list[Row]:
    """One row a search under `results`, the best tested winner first."""
    folders = [path.parent for path in sorted(results.glob("*/search.json"))]
    rows = [_search_row(folder) for folder in folders]
    return sorted(rows, key=lambda row: -(row["test_accuracy"] or 0.0))


def _search_row(folder: Path) -> dict[str, Any]:
    spec = load_spec(folder)
    study = load_study(spec, folder)
    trials = [trial for trial in study.get_trials(deepcopy=False) if not is_refused(trial)]
    counts = {state: sum(t.state == state for t in trials) for state in STATUS}
    metrics = _read_json(folder / "winner" / "metrics.json")
    cost = _read_json(folder / "winner" / "parity.json").get(ONNX, {}).get("cost", {})
    winner = next(iter(read_finalists(study)), None)
    complete = [t.value for t in trials if t.state == TrialState.COMPLETE and t.value is not None]
    return {
        "search": spec.name,
        "data": spec.data,
        "trials": f"{len(trials)}/{spec.trials}",
        "complete": counts[TrialState.COMPLETE],
        "stopped": counts[TrialState.PRUNED],
        "failed": counts[TrialState.FAIL],
        "best": round(max(complete), 4) if complete else None,
        "winner": winner.name if winner else None,
        "winner_val": _rounded(winner.score) if winner else None,
        "test_accuracy": round(metrics["accuracy"], 4) if metrics else None,
        "latency_ms": _short(cost.get("latency_ms")),
        "size_mb": _short(cost.get("size_mb")),
    }


def _read_json(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    return found


def sort_rows(rows: Sequence[Row], column: str) -> list[Row]:
    """Rows by `column`: scores from the highest down, everything else up, empty cells last."""
    if rows and column not in rows[0]:
        raise UserError(f"--sort {column!r}: no such column; there are {', '.join(rows[0])}")
    filled = [row for row in rows if row[column] not in (None, "")]
    empty = [row for row in rows if row[column] in (None, "")]
    numeric = all(isinstance(row[column], int | float) for row in filled)
    key = (lambda row: row[column]) if numeric else (lambda row: str(row[column]))
    return sorted(filled, key=key, reverse=column in SCORES) + empty


def to_text(rows: Sequence[Row], form: Format) -> str:
    """Rows as CSV, JSON or a Markdown table."""
    columns = list(rows[0]) if rows else []
    if form == "json":
        return json.dumps(list(rows), indent=1, default=str) + "\n"
    if form == "md":
        lines = [
            columns,
            ["---"] * len(columns),
            *([_cell(row[c]).replace("|", "\\|") for c in columns] for row in rows),
        ]
        return "".join("| " + " | ".join(line) + " |\n" for line in lines)
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def print_table(rows: Sequence[Row], title: str) -> None:
    """Rows as a table on the terminal; cells that are empty in every row are left out."""
    from rich.console import Console
    from rich.table import Table

    columns = [c for c in (rows[0] if rows else {}) if any(row[c] not in (None, "") for row in rows)]
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        right = all(isinstance(row[column], int | float | None) for row in rows)
        table.add_column(column.replace("_", " "), justify="right" if right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in columns))
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    console.print(table if columns else f"{title}: nothing yet", markup=False, highlight=False)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


HEAD = (
    "rank", "trial", "status", "score", "epoch", "model", "batch_size", "lr", "head_lr", "parameters", "latency_ms",
    "size_mb", "seconds",
)  # fmt: skip


def print_board(spec: SearchSpec, study: optuna.Study, top: int) -> None:
    """A search's finalists and best trials, on the terminal."""
    metric, finalists = metric_of(spec), read_finalists(study)
    if finalists:
        print_table(
            finalist_rows(metric, finalists, costs_of(study)),
            f"{spec.name}: finalists, from fresh seeds (validation {metric})",
        )
    if "latency" in spec.objectives:
        print_table(pareto_rows(study), f"{spec.name}: full-length trials that none is both better and quicker than")
    rows = rank_trials(study)
    brief = [{name: row[name] for name in HEAD if name in row} for row in rows[:top]]
    print_table(brief, f"{spec.name}: {len(brief)} of {len(rows)} trials by validation (all columns: --format csv)")


def main(
    folder: Annotated[Path, typer.Argument(help="One search, such as results/digits; or the folder of all.")] = Path(
        "results"
    ),
    form: Annotated[Format, typer.Option("--format", help="How to print it.")] = "table",
    top: Annotated[int, typer.Option(min=0, help="Rows; 0 prints all.")] = 10,
    sort: Annotated[str, typer.Option(help="Column to sort by, instead of rank.")] = "",
) -> None:
    """Rank one search's trials, or all searches.

    Example: python -m searchspace.leaderboard results/digits --top 20 --sort seconds
    """
    single = (folder / "search.json").is_file()
    if not single and not any(folder.glob("*/search.json")):
        raise UserError(f"{str(folder)!r}: holds no search; start one with python -m searchspace.run")
    if single and form == "table" and not sort:
        spec = load_spec(folder)
        print_board(spec, load_study(spec, folder), top or 10**9)
        return
    rows = rank_trials(load_study(load_spec(folder), folder)) if single else rank_searches(folder)
    rows = (sort_rows(rows, sort) if sort else rows)[: top or None]
    if form == "table":
        print_table(rows, str(folder))
    else:
        print(to_text(rows, form), end="")


if __name__ == "__main__":
    from searchspace.command import run_command

    run_command(main)
