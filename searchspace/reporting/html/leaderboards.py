"""The boards: finalists and trials, as on the terminal."""

from collections.abc import Iterator

from searchspace.finals.validation_images import format_validation
from searchspace.reporting.html.blocks import Block, MissingError, Note, Table
from searchspace.reporting.results import SearchResults
from searchspace.reporting.tables.finalists import costs_of, finalist_rows
from searchspace.reporting.tables.pareto import pareto_rows
from searchspace.reporting.tables.student_table import student_rows
from searchspace.reporting.tables.table import DECIMALS
from searchspace.reporting.tables.trials import board_rows
from trainables.export.benchmark.architecture_cost import LATENCY_DEFINITION
from trainables.metrics.metric_registry import METRICS

MAX_TRIAL_ROWS = 500
"""Trials on the board."""

PRINTED_COLUMNS = (
    "rank", "trial", "status", "score", "accuracy", "epoch", "model", "lr", "batch_size", "seconds", "parameters",
    "latency_ms", "size_mb",
)  # fmt: skip
"""Columns of the trials that paper has room for."""


def leaderboards(results: SearchResults) -> Iterator[Block]:
    """Finalists, the front where latency counts, and trials; full-length ones stand above stopped ones."""
    if not results.trials:
        raise MissingError("No trial has begun.")
    words = METRICS[results.spec.metric].label
    if results.finalists:
        rows = finalist_rows(results.spec.metric, results.finalists, costs_of(results.study), results.baseline)
        how = "cross-validated" if results.spec.folds > 1 else "trained again from fresh seeds"
        yield Table(rows, f"Finalists, {how} (validation {words})", DECIMALS, marked=[0])
        if results.validation:
            yield Note(f"{format_validation(results.validation).capitalize()}.")
        if results.race:
            yield Note(f"{results.race.describe(results.spec.metric).capitalize()}.")
    if rows := student_rows(results):
        title = "The winner and its student, both tested once; size and latency of their float32 ONNX files"
        yield Table(rows, title, DECIMALS)
    if "latency" in results.spec.objectives:
        rows = pareto_rows(results.study)
        yield Table(rows, "Full-length trials that none is both better and quicker than", DECIMALS)
    doubled = {"accuracy"} if results.spec.metric == "accuracy" else set()
    rows = [{name: row[name] for name in row if name not in doubled} for row in board_rows(results.study)]
    if len(rows) > MAX_TRIAL_ROWS:
        yield Note(f"The first {MAX_TRIAL_ROWS} of {len(rows):,} trials by rank; leaderboard.csv has all.")
    marked = [index for index, row in enumerate(rows) if row["trial"] in results.winner_configs]
    aside = [name for name in rows[0] if name not in PRINTED_COLUMNS]
    yield Table(rows[:MAX_TRIAL_ROWS], f"Trials by validation {words}", DECIMALS, aside, marked)
    if any(row.get("latency_ms") is not None for row in rows):
        yield Note(
            "Size, latency and memory of a trial are of its float32 ONNX file, which limits hold for; "
            f"{LATENCY_DEFINITION}."
        )
