"""The winner and its student side by side: how good, how large, how fast."""

from pathlib import Path
from typing import Any

from searchspace.finals.choose_student import read_student
from searchspace.finals.formatting import format_interval_cell, format_test_score, score_with_interval
from searchspace.finals.winner import METRICS_FILE as FILE
from searchspace.reporting.tables.costs import shipped
from searchspace.reporting.tables.table import Row, brief
from searchspace.spec import SearchSpec
from searchspace.storage.search_folder import STUDENT
from trainables.export.exported_files import read_export_record
from trainables.metrics.class_metrics import TestMetrics
from trainables.metrics.metric_registry import METRICS
from trainables.storage.files import is_file, read_record

TIMES = {"times_smaller": "size_mb", "times_as_fast": "latency_ms"}
"""Columns that say what the student gains, and what of."""


def student_rows(spec: SearchSpec, folder: Path) -> list[Row]:
    """The winner's row and its student's, once both are tested; none where there is no student.

    Size and latency are those of the float32 ONNX file, on one thread, which limits are about.
    """
    student = read_student(folder)
    if student is None or not is_file(folder / STUDENT / FILE):
        return []
    names = {
        "winner": student.teacher,
        STUDENT: "drawn from the space" if student.trial is None else f"trial {student.trial}",
    }
    winner, own = ({"which": part, "network": name, **_row(spec, folder / part)} for part, name in names.items())
    gains = {column: (winner[quantity], own[quantity]) for column, quantity in TIMES.items()}
    times = {
        column: float(f"{most / least:.3g}") if most and least else None for column, (most, least) in gains.items()
    }
    return brief([{**winner, **dict.fromkeys(TIMES)}, {**own, **times}])


def say_student(spec: SearchSpec, folder: Path) -> str:
    """What the student's row says, in a line; nothing where there is none."""
    rows = student_rows(spec, folder)
    if not rows:
        return ""
    student = rows[1]
    gains = [f"{student[column]:g} {column.replace('_', ' ')}" for column in TIMES if student[column]]
    score = format_test_score(spec.metric, _read_metrics(folder / STUDENT))
    words = METRICS[spec.metric].label
    return ", ".join([f"student: {student['network']}, taught by {rows[0]['network']}, {words}: test {score}", *gains])


def _row(spec: SearchSpec, folder: Path) -> dict[str, Any]:
    metrics = _read_metrics(folder)
    cost = shipment.cost if (shipment := read_export_record(folder)) else None
    return {
        "test_score": score_with_interval(spec.metric, metrics)[0],
        "95_%_interval": format_interval_cell(spec.metric, metrics),
        "parameters": cost.parameters if cost else None,
        **shipped(cost),
    }


def _read_metrics(folder: Path) -> TestMetrics:
    return read_record(folder / FILE, TestMetrics)
