"""The definition of a metric: a formula over class counts, with its name, format and interval."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainables.metrics.class_counts import ClassCounts

IntervalMethod = Literal["Wilson", "Wilson (effective n)", "Hall"]
"""Methods of `score_interval`: of a share of the images, of any bounded score, and of a mean of losses."""
DERIVATIVE_STEP = 1e-4
"""Relative step of the numeric derivative; the error is its square."""


class Gradient(NamedTuple):
    """Derivatives of a score with respect to each field of `ClassCounts`."""

    true: NDArray[np.float64]
    predicted: NDArray[np.float64]
    correct: NDArray[np.float64]
    loss: float


@dataclass(frozen=True)
class Metric:
    """A score, higher is better. Everything that a search does with it follows from this record."""

    label: str
    """Its name in a line of text."""
    summary: str
    """One line for the docs."""
    compute: Callable[[ClassCounts], float]
    """The score. Counts that are all multiplied by one number give the same score."""
    title: str = ""
    """Its name in tables of test metrics, of the figure that is shown there; empty: the label."""
    hub_type: str = ""
    """Its `type` in Hugging Face's model index; empty: its name."""
    bounds: tuple[float, float] = (0.0, 1.0)
    """Lowest and highest score."""
    unit: Literal["%", "nats", ""] = "%"
    """What it is measured in: a share, shown in percent; nats; or a plain number."""
    is_negated: bool = False
    """Whether the score is minus the figure that is usually given, as of a loss; test tables show that figure."""
    averages_classes: bool = False
    """Whether each class counts alike, however few images it has."""
    interval: IntervalMethod = "Wilson (effective n)"
    """Method of its 95 % confidence interval; the default holds for any score that has bounds."""
    gradient: Callable[[ClassCounts], Gradient] | None = None
    """Its derivatives; None differentiates `compute` numerically."""
    aliases: tuple[str, ...] = ()
    """Names that other tools have for it."""

    @property
    def span(self) -> float:
        """Largest difference of two scores."""
        return self.bounds[1] - self.bounds[0]

    def differentiate(self, counts: ClassCounts) -> Gradient:
        """Derivatives of the score at `counts`; 0 for the images of a class that has none."""
        return self.gradient(counts) if self.gradient else numeric_gradient(self.compute, counts)

    def format(self, score: float) -> str:
        """A score as text: 99.63%, or -0.0951."""
        return f"{score:.2%}" if self.unit == "%" else f"{score:.4f}"

    def format_difference(self, difference: float) -> str:
        """A difference of scores, or a standard deviation, as text: 0.44 points, 0.0123 nats or 0.0123."""
        unit = "points" if self.unit == "%" else self.unit
        return f"{self.format_amount(difference)} {unit}".rstrip()

    def format_amount(self, difference: float) -> str:
        """The same without its unit."""
        return f"{100 * difference:.2f}" if self.unit == "%" else f"{difference:.4f}"

    def figure(self, score: float) -> float:
        """The figure that test tables show for a score: the score itself, or the loss that it negates."""
        return -score if self.is_negated else score

    def figure_interval(self, low: float, high: float) -> tuple[float, float]:
        """Lower and upper end of the figure's interval, from those of the score's."""
        return (-high, -low) if self.is_negated else (low, high)


def numeric_gradient(compute: Callable[[ClassCounts], float], counts: ClassCounts) -> Gradient:
    """Derivatives of `compute` at `counts` by central differences.

    A class without images stays one: means over classes leave it out, which no derivative says.
    """
    fields = {name: getattr(counts, name) for name in ("true", "predicted", "correct")}

    def at(**changed: NDArray[np.float64] | float) -> float:
        values = {**fields, "loss": counts.loss, **changed}
        return compute(ClassCounts(**values))

    def derivative(name: str, index: int) -> float:
        step = np.zeros(len(counts.true))
        step[index] = DERIVATIVE_STEP * max(1.0, fields[name][index])
        return (at(**{name: fields[name] + step}) - at(**{name: fields[name] - step})) / (2 * float(step[index]))

    present = counts.true > 0
    found = {
        name: np.array([derivative(name, i) if present[i] or name == "predicted" else 0.0 for i in range(len(present))])
        for name in fields
    }
    step = DERIVATIVE_STEP * max(1.0, counts.loss)
    slope = (at(loss=counts.loss + step) - at(loss=counts.loss - step)) / (2 * step)
    return Gradient(**found, loss=slope)
