"""The exported files: parity with PyTorch, cost, the recommended file, robustness, and formats left out."""

from collections.abc import Sequence

from searchspace.reporting.markdown import paragraphs, sentence, table
from searchspace.reporting.model_card.student_section import describe_student
from searchspace.reporting.results import ClassifierResults
from searchspace.reporting.tables.exported_files_table import (
    ROBUSTNESS_METHOD,
    exported_file_rows,
    format_conditions,
    format_robustness,
    robustness_rows,
)
from searchspace.reporting.tables.table import Row
from searchspace.storage.search_folder import STUDENT
from trainables.common.escaping import as_markdown
from trainables.export.benchmark.architecture_cost import LATENCY_DEFINITION
from trainables.export.exported_files import COMPARISON_BATCH

PARITY_COLUMNS = ("format", "file", "MB", "accuracy", "F1", "agreement", "logits_off_by", "mean", "note")
"""Columns of the first table; the others are what it costs."""
COLUMN_DEFINITIONS = (
    "*agreement* is the share of images with PyTorch's likeliest class, *logits off by* the largest difference of a "
    f"logit and *mean* the mean one; {LATENCY_DEFINITION} (p99: the 99th percentile of them all). Memory is the peak "
    "of a process that does nothing but run the file. PyTorch runs the weights eagerly, in float32."
)


def describe_files(model: ClassifierResults) -> str:
    """Proof and cost, a table each."""
    shipment = model.shipment
    if shipment is None:
        return ""
    rows = exported_file_rows(shipment)
    recommended = (
        f"Recommended is **{shipment.recommended}**, the fastest exported one at batches of {COMPARISON_BATCH} among "
        f"those that lose no more than {shipment.max_drop:g} points of accuracy. So which files are shipped was "
        "decided on test images; the model that they hold was not."
    )
    return paragraphs(
        recommended if shipment.recommended != "pytorch" else "No exported format passed its proof.",
        table([_part(row, PARITY_COLUMNS) for row in rows]),
        table([_part(row, ["format", *_costs(row)]) for row in rows]),
        sentence(as_markdown(format_conditions(shipment))) + f" {COLUMN_DEFINITIONS}",
        "\n".join(f"- **{each.format}** is not shipped: {as_markdown(each.reason)}." for each in shipment.dropped),
        describe_student(model) if model.folder.name != STUDENT else "",
    )  # fmt: skip


def _costs(row: Row) -> list[str]:
    """Columns of the second table."""
    return [name for name in row if name not in (*PARITY_COLUMNS, "recommended")]


def _part(row: Row, names: Sequence[str]) -> Row:
    return {name: row[name] for name in names}


def describe_robustness(model: ClassifierResults) -> str:
    """Accuracy by corruption and strength."""
    found = model.robustness
    if found is None:
        return ""
    return paragraphs(as_markdown(format_robustness(found)), table(robustness_rows(found)), ROBUSTNESS_METHOD)
