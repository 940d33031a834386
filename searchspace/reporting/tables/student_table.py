"""The winner and its student side by side: scores, size and speed."""

from typing import Any

from searchspace.finals.formatting import format_interval_cell, format_test_score, score_with_interval
from searchspace.reporting.results import ClassifierResults, SearchResults
from searchspace.reporting.tables.exported_files_table import cost_columns
from searchspace.reporting.tables.table import Row, round_rows
from searchspace.storage.search_folder import STUDENT
from trainables.metrics.metric_registry import METRICS

TIMES = {"times_smaller": "size_mb", "times_as_fast": "latency_ms"}
"""Columns that say what the student gains, and what of."""


def student_rows(results: SearchResults) -> list[Row]:
    """The winner's row and its student's, once both are tested; none where there is no student.

    Size and latency are those of the float32 ONNX file, on one thread, which limits are about.
    """
    student = results.student_record
    if student is None or not results.student.is_tested:
        return []
    network = "drawn from the space" if student.trial is None else f"trial {student.trial}"
    winner = {"which": "winner", "network": student.teacher, **_row(results.winner)}
    own = {"which": STUDENT, "network": network, **_row(results.student)}
    gains = {column: (winner[quantity], own[quantity]) for column, quantity in TIMES.items()}
    times = {
        column: float(f"{most / least:.3g}") if most and least else None for column, (most, least) in gains.items()
    }
    return round_rows([{**winner, **dict.fromkeys(TIMES)}, {**own, **times}])


def format_student(results: SearchResults) -> str:
    """What the student's row says, in a line; nothing where there is none."""
    rows = student_rows(results)
    if not rows:
        return ""
    student = rows[1]
    gains = [f"{student[column]:g} {column.replace('_', ' ')}" for column in TIMES if student[column]]
    metric = results.spec.metric
    score, words = format_test_score(metric, results.student.metrics), METRICS[metric].label
    return ", ".join([f"student: {student['network']}, taught by {rows[0]['network']}, {words}: test {score}", *gains])


def _row(classifier: ClassifierResults) -> dict[str, Any]:
    metric, metrics, cost = classifier.search.spec.metric, classifier.metrics, classifier.cost
    return {
        "test_score": score_with_interval(metric, metrics)[0],
        "95_%_interval": format_interval_cell(metric, metrics),
        "parameters": cost.parameters if cost else None,
        **cost_columns(cost),
    }
