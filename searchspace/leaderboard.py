"""Leaderboards: `searchspace leaderboard [results/NAME]` ranks one search's trials, or all searches."""

import gc
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from searchspace.cli.options import Option, with_options
from searchspace.cli.output import print_document
from searchspace.finals.gain import format_gain
from searchspace.finals.validation_images import format_validation
from searchspace.reporting.results import SearchResults, read_results, reading_search
from searchspace.reporting.table_formats import Format, to_text
from searchspace.reporting.tables.board_view import FORM, PrintOptions, ViewOptions
from searchspace.reporting.tables.compare import brief_comparison, compare_searches, compare_trials, format_incomparable
from searchspace.reporting.tables.finalists import costs_of, finalist_rows
from searchspace.reporting.tables.pareto import pareto_rows
from searchspace.reporting.tables.searches import format_problems, rank_searches
from searchspace.reporting.tables.student_table import student_rows
from searchspace.reporting.tables.table import Row, format_cell, round_rows
from searchspace.reporting.tables.terminal_table import draw_table, make_console, print_table
from searchspace.reporting.tables.trials import rank_trials, varying_columns, without_defaults
from searchspace.reporting.tables.watch import watch_search
from searchspace.spec import SearchSpec, parse_record
from searchspace.storage.open_results import is_board_file, open_results
from searchspace.storage.search_folder import SEARCH_RECORD
from searchspace.storage.search_names import match_name, names_nearby, searches_below
from searchspace.study.database import StorageOption, allow_storage
from trainables.common.errors import UserError, suggest
from trainables.common.escaping import printable
from trainables.config import TrialConfig
from trainables.metrics.metric_registry import METRICS
from trainables.storage.files import is_file

if TYPE_CHECKING:
    from rich.console import RenderableType

logger = logging.getLogger(__name__)

TRIAL_COLUMNS = (
    "rank", "trial", "role", "status", "score", "best_epoch", "model", "latency_ms", "lr", "seconds", "head_lr",
    "parameters", "batch_size", "optimizer", "width", "depth", "balance", "reason",
)  # fmt: skip
"""Columns of a board that matter most, in the order in which they get room."""
FINALIST_COLUMNS = ("trial", "role", "score", "deviation", "behind", "95_%_interval", "told_apart", "search_score")
BOARD_COLUMNS = (
    "search", "data", "test_score", "95_%_interval", "trials", "winner_val", "status", "problem", "winner", "seconds",
    "latency_ms",
)  # fmt: skip
ALL_COLUMNS_HINT = "; --columns NAMES, or --format csv for all"
EXACT_FORMATS = ("csv", "json")
"""Formats that programs read: figures are whole there."""
DEFAULT_ROWS = 10
"""Default number of rows of a table."""
Folder = Annotated[str, typer.Argument(help="One search, such as results/digits; or the folder of all; or a URL.")]


class ShowOptions(PrintOptions):
    """How it is shown."""

    compare: Annotated[tuple[str, str] | None, Option(FORM, metavar="A B")] = None
    """Two trials of the search, or two searches, side by side."""
    watch: Annotated[bool, Option(FORM)] = False
    """Draw it again while the search runs."""


def print_board(results: SearchResults, top: int) -> None:
    """A search's finalists and best trials, on the terminal."""
    console = make_console()
    console.print(draw_board(results, ViewOptions(top=top), console.width))


def draw_board(results: SearchResults, view: ViewOptions, width: int) -> "RenderableType":
    """The wanted of a search's trials, below its finalists unless something certain is wanted."""
    from rich.console import Group

    spec, study, parts = results.spec, results.study, []
    words = _describe_metric(spec)
    rows = without_defaults(study, rank_trials(study))
    found = round_rows(view.of(rows, winner=True))
    if not (view.where or view.columns or view.sort):
        parts = _best(results, width)
    also = " and the winner" if view.top and len(found) > view.top else ""
    count = f"{len(found) if not also else view.top} of {len(rows)} trials{also}"
    title = f"{spec.name}: {count} by {view.sort or f'validation {words}'}"
    if view.columns:
        return Group(*parts, draw_table(found, title, width, view.columns))
    columns = varying_columns(study, rows)
    shown, same = split_constant([{name: row[name] for name in columns} for row in found])
    told = f"; the same in all of these: {', '.join(same)}" if same else ""
    return Group(*parts, draw_table(shown, title + told, width, TRIAL_COLUMNS, ALL_COLUMNS_HINT))


def _describe_metric(spec: SearchSpec) -> str:
    """The metric's name, and whether scores are weighted."""
    return METRICS[spec.metric].label + ", images weighted" * spec.weighted_metrics


def _best(results: SearchResults, width: int) -> "list[RenderableType]":
    """The finalists, and the front of two objectives, as far as there are any."""
    from rich.text import Text

    parts: list[RenderableType] = []
    spec, finalists = results.spec, results.finalists
    if finalists:
        rows = finalist_rows(spec.metric, finalists, costs_of(results.study), results.baseline)
        how = "cross-validated" if spec.folds > 1 else "from fresh seeds"
        title = f"{spec.name}: finalists, {how} (validation {_describe_metric(spec)})"
        parts.append(draw_table(rows, title, width, FINALIST_COLUMNS))
        if results.validation:
            parts.append(Text(format_validation(results.validation)))
        if race := results.race:
            parts.append(Text(printable(race.describe(spec.metric))))
        if gain := results.gain:
            parts.append(Text(printable(f"what the search bought: {format_gain(gain)}")))
    if end := results.early_end:
        parts.append(Text(f"search: {end.describe()}"))
    if "latency" in spec.objectives:
        title = f"{spec.name}: full-length trials that none is both better and quicker than"
        parts.append(draw_table(pareto_rows(results.study), title, width))
    return parts


def split_constant(rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """`rows` without hyperparameters that are the same in all of them, and those: `width 16`, ...

    Also without what repeats another column: the accuracy where it is the score, the best score where it is the last.
    """
    alike = {
        name: rows[0][name]
        for name in (rows[0] if len(rows) > 1 else {})
        if name in TrialConfig.model_fields and all(row[name] == rows[0][name] for row in rows)
    }
    doubled = {n for n in ("accuracy", "best_score") if all(row.get(n) == row.get("score") for row in rows)}
    kept: list[Row] = [{name: value for name, value in row.items() if name not in {*alike, *doubled}} for row in rows]
    return kept, [f"{name} {format_cell(value)}" for name, value in alike.items() if value is not None]


@with_options(ViewOptions, ShowOptions, StorageOption)
def main(given: frozenset[str], folder: Folder = "results", **options: Any) -> None:  # noqa: ARG001
    """Rank one search's trials, or all searches; also while they run.

    Example: searchspace leaderboard results/digits --where 'model == "convnet"' --top 20
    """
    allow_storage(options.pop("storage"))
    sync = open_results(folder)
    here = sync.folder
    single = is_file(here / SEARCH_RECORD)
    if not single and not searches_below(here):
        hint = suggest(here.name, names_nearby(here))
        raise UserError(f"{folder!r}: holds no search; searchspace run starts one{hint}")
    showing = parse_record(ShowOptions, {name: options.pop(name) for name in ShowOptions.model_fields})
    form, view = showing.form, parse_record(ViewOptions, options)
    if view.top is None and form == "table":
        view = view.model_copy(update={"top": DEFAULT_ROWS})
    if showing.watch:
        if not single or showing.compare or form != "table":
            raise UserError(f"--watch {folder!r}: shows one search, results/NAME, as a table, and compares none")
        gc.enable()  # drawing for hours makes some cycles, after all
        watch_search(read_results(here), partial(_redraw, view), lambda: sync.pull(is_board_file))
    elif showing.compare:
        _compare(here, single, showing.compare, form, f"{folder}: what differs")
    elif single and form == "table":
        results, console = read_results(here), make_console()
        with reading_search(here):
            board, student = draw_board(results, view, console.width), student_rows(results)
        console.print(board)
        if student:
            print_table(student, f"{results.spec.name}: the winner and its student, both tested once")
    else:
        rows, seen = _all_trials(here) if single else (rank_searches(here), None)
        found = view.of(rows, seen) if form in EXACT_FORMATS else round_rows(view.of(seen or rows, winner=single))
        _print(found, form, f"{folder}: searches by test accuracy", view.columns or BOARD_COLUMNS)
        if not single and form == "table":
            for problem in format_problems(rows):  # the table may have no room for it
                logger.warning(problem)


def _redraw(view: ViewOptions, results: SearchResults, width: int) -> "RenderableType":
    """The board of a search that runs; raises `DamagedError` where its files make no sense together."""
    with reading_search(results.folder):
        return draw_board(results, view, width)


def _all_trials(here: Path) -> tuple[list[Row], list[Row]]:
    """A search's trials, as files have them and as people see them."""
    study = read_results(here).study
    with reading_search(here):
        rows = rank_trials(study)
        return rows, without_defaults(study, rows)


def _compare(here: Path, single: bool, names: tuple[str, str], form: Format, title: str) -> None:
    if names[0] == names[1]:
        raise UserError(f"--compare {names[0]!r} {names[1]!r}: are the same; give two different ones")
    if single:
        results = read_results(here)
        with reading_search(here):
            rows = compare_trials(results.study, names)
    else:
        names = (match_name(here, names[0]) or names[0], match_name(here, names[1]) or names[1])
        rows = compare_searches(here, names)
        for warning in format_incomparable(here, names):
            logger.warning(warning)
    _print(rows if form in EXACT_FORMATS else brief_comparison(rows), form, title, ("what", *names))


def _print(rows: Sequence[Row], form: Format, title: str, first: Sequence[str]) -> None:
    if form == "table":
        print_table(rows, title, first, hint=ALL_COLUMNS_HINT)
    else:
        print_document(to_text(rows, form))


if __name__ == "__main__":
    from searchspace.cli.command import run_command

    gc.disable()  # a board lives for a second and makes no cycles; looking for them costs a third of that
    run_command(main)
