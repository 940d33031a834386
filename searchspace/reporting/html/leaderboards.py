"""The boards: finalists and trials, as on the terminal."""

from collections.abc import Iterator

from searchspace.finals.baseline import read_baseline
from searchspace.finals.validation_images import format_validation, read_validation
from searchspace.reporting.html.blocks import Block, MissingError, Note, Table
from searchspace.reporting.html.material import Material
from searchspace.reporting.tables.finalists import costs_of, finalist_rows
from searchspace.reporting.tables.pareto import pareto_rows
from searchspace.reporting.tables.student_table import student_rows
from searchspace.reporting.tables.table import DECIMALS
from trainables.export.benchmark.architecture_cost import LATENCY_DEFINITION
from trainables.metrics.metric_registry import METRICS

MOST_ROWS = 500
"""Trials on the board."""

PRINTED = (
    "rank", "trial", "status", "score", "accuracy", "epoch", "model", "lr", "batch_size", "seconds", "parameters",
    "latency_ms", "size_mb",
)  # fmt: skip
"""Columns of the trials that paper has room for."""


def boards(material: Material) -> Iterator[Block]:
    """Finalists, the front where latency counts, and trials; full-length ones stand above stopped ones."""
    if not material.trials:
        raise MissingError("No trial has begun.")
    words = METRICS[material.spec.metric].label
    if material.finalists:
        baseline = read_baseline(material.study)
        rows = finalist_rows(material.spec.metric, material.finalists, costs_of(material.study), baseline)
        yield Table(rows, f"Finalists, trained again from fresh seeds (validation {words})", DECIMALS, marked=[0])
        if validation := read_validation(material.study):
            yield Note(f"{format_validation(validation).capitalize()}.")
    if rows := student_rows(material.spec, material.folder):
        title = "The winner and its student, both tested once; size and latency of their float32 ONNX files"
        yield Table(rows, title, DECIMALS)
    if "latency" in material.spec.objectives:
        rows = pareto_rows(material.study)
        yield Table(rows, "Full-length trials that none is both better and quicker than", DECIMALS)
    rows = [{name: row[name] for name in row if (name, words) != ("accuracy",) * 2} for row in material.rows]
    if len(rows) > MOST_ROWS:
        yield Note(f"The first {MOST_ROWS} of {len(rows):,} trials by rank; leaderboard.csv has all.")
    marked = [index for index, row in enumerate(rows) if row["trial"] in material.configs]
    aside = [name for name in rows[0] if name not in PRINTED]
    yield Table(rows[:MOST_ROWS], f"Trials by validation {words}", DECIMALS, aside, marked)
    if any(row.get("latency_ms") is not None for row in rows):
        yield Note(
            "Size, latency and memory of a trial are of its float32 ONNX file, which limits hold for; "
            f"{LATENCY_DEFINITION}."
        )
