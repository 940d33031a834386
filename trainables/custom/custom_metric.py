"""Metrics of the user's own: formulas over `ClassCounts`, declared by a decorator or given as a `Metric`."""

import logging
import math
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeVar

import numpy as np

from trainables.common.errors import UserError
from trainables.config import Finite
from trainables.custom.custom_code import CustomPart, Line
from trainables.metrics.class_counts import ClassCounts
from trainables.metrics.metric import Metric
from trainables.metrics.metric_registry import METRICS

logger = logging.getLogger(__name__)
METRIC = "searchspace_metric"
"""Attribute of a function that holds what `metric` declares of it."""
TOLERANCE = 1e-6
"""Largest error of a score that is computed twice, as a share of its span."""
F = TypeVar("F", bound=Callable[..., Any])


class MetricDescription(Finite):
    """What a record keeps of a metric: fields of `Metric`. It may be others' writing."""

    label: Line
    """Its name in a line of text."""
    summary: Line = ""
    """One line on it."""
    title: Line = ""
    """Its name in tables of test metrics; empty: the label."""
    bounds: tuple[float, float]
    """Lowest and highest score."""
    unit: Literal["%", "nats", ""]
    """What it is measured in."""
    is_negated: bool = False
    """Whether the score is minus the figure that is shown."""
    averages_classes: bool = False
    """Whether each class counts alike."""


def metric(
    *, label: str = "", summary: str = "", bounds: tuple[float, float] = (0.0, 1.0), unit: str | None = None,
    negated: bool = False, averages_classes: bool = False,
) -> Callable[[F], F]:  # fmt: skip
    """Declare what a function of `ClassCounts` measures; higher is better.

    `label`: its name in texts, by default the function's. `bounds`: lowest and highest score. `unit`: "%", "nats" or ""
    for a plain number; by default "%" for bounds of 0 and 1. `negated`: the score is minus the figure that tables of
    test metrics show, as of a loss. `averages_classes`: each class counts alike, however few images it has.
    """

    def declare(function: F) -> F:
        declared = {"label": label, "summary": summary, "bounds": bounds, "is_negated": negated, "unit": unit}
        setattr(function, METRIC, declared | {"averages_classes": averages_classes})
        return function

    return declare


def describe_metric(found: Any) -> dict[str, Any]:
    """What a record keeps of a metric; raises `UserError` for one that no search can use.

    It has to be finite and within its bounds for any counts, and the same when all of them are multiplied by one
    number: scores are computed from sums over the workers' images.
    """
    entry = _as_metric(found)
    low, high = entry.bounds
    if not (low < high and math.isfinite(high - low)):
        raise UserError(f"its bounds are {low:g} and {high:g}; give the lowest and the highest score, both finite")
    for what, counts in _samples():
        score = _compute(entry, counts, what)
        if not low - TOLERANCE * entry.span <= score <= high + TOLERANCE * entry.span:
            raise UserError(
                f"is {score:.6g} for {what}, outside of its bounds, {low:g} to {high:g}; declare wider ones"
            )
        tripled = ClassCounts(3 * counts.true, 3 * counts.predicted, 3 * counts.correct, 3 * counts.loss)
        if abs(again := _compute(entry, tripled, what) - score) > TOLERANCE * entry.span:
            raise UserError(
                f"is {score:.6g} for {what}, and {score + again:.6g} when all counts are three times as many; divide "
                "by a sum of counts"
            )
    _warn_unless_rising(entry)
    return MetricDescription.model_validate(
        {name: getattr(entry, name) for name in MetricDescription.model_fields}
    ).model_dump(mode="json")


def add_metric(part: CustomPart, found: Any, _code_digest: str) -> None:
    """Let a metric be found by its name; without its code, all of it but the formula."""
    described = MetricDescription.model_validate(part.description).model_dump()
    compute = _as_metric(found).compute if found is not None else _refuse(part.name)
    METRICS[part.name] = Metric(compute=compute, hub_type=part.attribute, **described)


def remove_metric(part: CustomPart) -> None:
    """Let a metric be found no longer."""
    METRICS.pop(part.name, None)


def _as_metric(found: Any) -> Metric:
    """The `Metric` that was given, or that of a function; raises `UserError` for anything else."""
    if isinstance(found, Metric):
        return found
    if not callable(found):
        raise UserError(f"is a {type(found).__name__}; a metric is a function of ClassCounts, or a Metric")
    declared = {name: value for name, value in getattr(found, METRIC, {}).items() if value not in ("", None)}
    name = str(getattr(found, "__name__", "score")).replace("_", " ")
    lines = (getattr(found, "__doc__", None) or "").strip().splitlines()
    known = {"label": name, "summary": lines[0] if lines else name}
    bounds = tuple(map(float, declared.get("bounds", (0.0, 1.0))))
    unit = declared.pop("unit", "%" if bounds == (0.0, 1.0) else "")
    if unit not in {"%", "nats", ""}:
        raise UserError(f"its unit is {unit!r}; give '%', 'nats' or '' for a plain number")
    return Metric(compute=lambda counts: float(found(counts)), unit=unit, **known | declared | {"bounds": bounds})


def _refuse(name: str) -> Callable[[ClassCounts], float]:
    def compute(_counts: ClassCounts) -> float:
        raise UserError(f"{name}: its code is not loaded here, so that no score can be computed")

    return compute


def _compute(entry: Metric, counts: ClassCounts, what: str) -> float:
    try:
        with np.errstate(all="ignore"):
            score = float(entry.compute(counts))
    except Exception as error:  # the user's function may raise anything
        said = " ".join(str(error).split())
        raise UserError(f"raises {type(error).__name__} for {what}: {said}") from error
    if not math.isfinite(score):
        raise UserError(
            f"is {score} for {what}; leave out classes that would be divided by 0, as `counts.true > 0` does"
        )
    return score


def _samples() -> Iterator[tuple[str, ClassCounts]]:
    """Counts as searches meet them, each with what it is."""
    for classes in (2, 3, 10):
        rng = np.random.default_rng(classes)
        labels = np.concatenate([np.arange(classes), rng.integers(0, classes, 20 * classes)])
        yield f"random answers to {classes} classes", _counts(labels, rng.integers(0, classes, len(labels)), classes)
        right = np.where(rng.random(len(labels)) < 0.8, labels, rng.integers(0, classes, len(labels)))
        yield f"good answers to {classes} classes", _counts(labels, right, classes)
    labels = np.arange(30) % 3
    yield "answers that are all right", _counts(labels, labels, 3)
    yield "answers that are all wrong", _counts(labels, (labels + 1) % 3, 3)
    yield "a class that is never predicted", _counts(labels, labels % 2, 3)
    yield "a class without images", _counts(labels % 2, labels, 3)


def _counts(labels: Any, predicted: Any, classes: int) -> ClassCounts:
    probabilities = np.full((len(labels), classes), 0.1 / classes) + 0.9 * np.eye(classes)[predicted]
    return ClassCounts.of(probabilities, labels)


def _warn_unless_rising(entry: Metric) -> None:
    """Warn of a score that falls where one more answer is right."""
    labels = np.arange(40) % 4
    scores = [
        entry.compute(_counts(labels, np.where(np.arange(40) < n, labels, (labels + 1) % 4), 4)) for n in range(41)
    ]
    if min(np.diff(scores)) < -TOLERANCE * entry.span:
        logger.warning("%s falls where one more image is classified right; a search maximises it as it is", entry.label)
