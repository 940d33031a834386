"""Leaderboards: `python -m searchspace.leaderboard [results/NAME]` ranks one search's trials, or all searches."""

from pathlib import Path
from typing import Annotated

import optuna
import typer

from searchspace.boards.finalists import costs_of, finalist_rows, read_finalists
from searchspace.boards.searches import rank_searches
from searchspace.boards.table import Format, print_table, sort_rows, to_text
from searchspace.boards.trials import rank_trials
from searchspace.pareto import pareto_rows
from searchspace.spec import SearchSpec, load_spec
from searchspace.study import load_study
from trainables.errors import UserError
from trainables.scores import METRICS

HEAD = (
    "rank", "trial", "status", "score", "accuracy", "epoch", "model", "batch_size", "lr", "head_lr", "balance",
    "parameters", "latency_ms", "size_mb", "seconds",
)  # fmt: skip


def print_board(spec: SearchSpec, study: optuna.Study, top: int) -> None:
    """A search's finalists and best trials, on the terminal."""
    words = METRICS[spec.metric].words
    finalists = read_finalists(study)
    if finalists:
        print_table(
            finalist_rows(spec.metric, finalists, costs_of(study)),
            f"{spec.name}: finalists, from fresh seeds (validation {words})",
        )
    if "latency" in spec.objectives:
        print_table(pareto_rows(study), f"{spec.name}: full-length trials that none is both better and quicker than")
    rows = rank_trials(study)
    head = [name for name in HEAD if name != "accuracy" or spec.metric != "accuracy"]  # which would say it twice
    brief = [{name: row[name] for name in head if name in row} for row in rows[:top]]
    print_table(
        brief, f"{spec.name}: {len(brief)} of {len(rows)} trials by validation {words} (all columns: --format csv)"
    )


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
