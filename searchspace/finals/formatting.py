"""Formats scores, intervals and comparisons, the same for the terminal, the report and the model card."""

from collections.abc import Sequence
from dataclasses import dataclass

from searchspace.finals.comparison import Comparison, ComparisonOutcome
from searchspace.finals.finalist import Finalist
from trainables.metrics.class_metrics import TestMetrics
from trainables.metrics.intervals import WILSON, Ends
from trainables.metrics.metric_registry import METRICS, MetricName, is_own_name


def format_score(metric: MetricName, score: float) -> str:
    """A score: 99.63 %, or, of a log loss (negated, so that higher is better), -0.0951."""
    return METRICS[metric].format(score)


def format_difference(metric: MetricName, amount: float) -> str:
    """A difference of scores, or their deviation, with its unit: `0.44 points`, or `0.0123 nats`."""
    return METRICS[metric].format_difference(amount)


def format_interval(metric: MetricName, comparison: Comparison) -> str:
    """The 95 % interval of the difference to the winner: `-0.20 to 0.79`; empty where there is no information."""
    if comparison.low is None or comparison.high is None or comparison.outcome == ComparisonOutcome.NO_VARIANCE:
        return ""
    low, high = (METRICS[metric].format_amount(end) for end in (comparison.low, comparison.high))
    return f"{low} to {high}"


def format_member(number: int, count: int) -> str:
    """A trial of an ensemble: `7`, or, where it counts more than once, `7 (2 times)`."""
    return f"{number} ({count} times)" if count > 1 else f"{number}"


def format_finalist(finalist: Finalist) -> str:
    """`trial 25`, `ensemble of trials 3, 7, 25`, or, where one counts twice, `ensemble of trials 3, 7 (2 times)`."""
    counts = finalist.counts or (1,) * len(finalist.members)
    numbers = ", ".join(map(format_member, finalist.members, counts))
    return f"trial {numbers}" if len(finalist.members) == 1 else f"ensemble of trials {numbers}"


def format_rescore(metric: MetricName, finalist: Finalist) -> str:
    """Mean and standard deviation over the fresh seeds, and the number of seeds; or over the folds, and theirs."""
    if not finalist.is_rescored:
        return f"{format_score(metric, finalist.score)} (the search's score: no time was left to train it again)"
    spread = "" if finalist.deviation is None else f" ± {format_difference(metric, finalist.deviation)}"
    lost = f" ({finalist.lost} more failed)" if finalist.lost else ""
    return f"{format_score(metric, finalist.score)}{spread} over {format_trainings(finalist)}{lost}"


def format_trainings(finalist: Finalist) -> str:
    """`3 fresh seeds`, `1 of 3 fresh seeds` of one that was dropped, `5 folds`, or `5 folds, 3 times`."""
    count = len(finalist.scores)
    if finalist.deterministic and not finalist.fold_scores:
        return "one training, which no seed changes"
    if finalist.fold_scores:
        times = f", {count} times" if count > 1 else ""
        return f"{len(finalist.fold_scores) // count} folds{times}"
    if count + finalist.lost < finalist.planned:
        return f"{count} of {finalist.planned} fresh seeds"
    return f"{count} fresh seed{'s' if count > 1 else ''}"


def score_with_interval(metric: MetricName, metrics: TestMetrics) -> tuple[float, float, float]:
    """Test score in the search's metric, higher is better, and the ends of its 95 % interval."""
    found = metrics.score(metric)
    return found.score, found.low, found.high


@dataclass(frozen=True)
class TestFigure:
    """A figure measured on the test split, as tables show it."""

    __test__ = False  # not a pytest class

    hub_type: str
    """Its type in Hugging Face's model index."""
    title: str
    """Its name in tables."""
    value: float | None
    """The figure; None where it was not measured."""
    interval: Ends | None = None
    """Its 95 % interval; None where it has none."""
    method: str = ""
    """Name of the interval's method."""


def list_test_figures(metrics: TestMetrics) -> list[TestFigure]:
    """Every metric of the registry, one of the user's own where it was measured, then what else is measured."""
    figures = [_figure(name, metrics) for name in METRICS if name in metrics.scores or not is_own_name(name)]
    top5 = TestFigure("top_5_accuracy", "top-5 accuracy", metrics.top5, metrics.top5_interval, WILSON)
    precision = TestFigure("precision", "precision, mean over classes", metrics.precision_macro)
    return [*figures, top5, precision, TestFigure("calibration_error", "calibration error", metrics.calibration_error)]


def _figure(name: MetricName, metrics: TestMetrics) -> TestFigure:
    metric, found = METRICS[name], metrics.score(name)
    return TestFigure(
        metric.hub_type or name, metric.title or metric.label, metric.figure(found.score),
        metric.figure_interval(found.low, found.high), metrics.method(name),
    )  # fmt: skip


def format_test_score(metric: MetricName, metrics: TestMetrics) -> str:
    """Test score and its interval."""
    score, _, _ = score_with_interval(metric, metrics)
    return f"{format_score(metric, score)} ({format_test_interval(metric, metrics)})"


def format_test_interval(metric: MetricName, metrics: TestMetrics) -> str:
    """`95 % Wilson interval 98.89% to 100.00%`: the interval of a test score, with its method."""
    _, low, high = (format_score(metric, value) for value in score_with_interval(metric, metrics))
    return f"95 % {metrics.method(metric)} interval {low} to {high}"


def format_interval_cell(metric: MetricName, metrics: TestMetrics) -> str:
    """`98.89% to 100.00% (Wilson)`: the same in a cell of a table."""
    _, low, high = (format_score(metric, value) for value in score_with_interval(metric, metrics))
    return f"{low} to {high} ({metrics.method(metric)})"


def format_top5(metrics: TestMetrics) -> str:
    """Top-5 accuracy and its interval; empty for few classes."""
    if metrics.top5 is None or metrics.top5_interval is None:
        return ""
    low, high = metrics.top5_interval
    return f"{metrics.top5:.2%} (95 % {WILSON} interval {low:.2%} to {high:.2%})"


def format_score_history(metric: MetricName, winner: Finalist, metrics: TestMetrics) -> str:
    """The winner's three scores in one line: search, re-score, test."""
    search = "" if winner.search_score is None else f"search {format_score(metric, winner.search_score)} -> "
    early = "" if winner.full_length or not search else "(stopped early) "
    weighted = " (images weighted)" if metrics.weighted else ""
    return (
        f"{format_finalist(winner)}, {METRICS[metric].label}{weighted}: {search}{early}"
        f"re-score {format_rescore(metric, winner)} -> test {format_test_score(metric, metrics)}"
    )


def format_undecided(metric: MetricName, finalists: Sequence[Finalist]) -> list[str]:
    """A line for each finalist that is not significantly different from the winner; one for all where seeds lack."""
    others = [(finalist, finalist.comparison) for finalist in finalists if finalist.comparison]
    if others and all(comparison.outcome == ComparisonOutcome.ONE_SEED for _, comparison in others):
        return ["one seed each shows no significant difference between finalists; --final-seeds 2 or more can"]
    if others and others[0][1].outcome == ComparisonOutcome.NOT_RESCORED:
        return ["the winner has the search's score alone, so no difference to it is known to be significant"]
    return [
        f"{format_finalist(finalist)} is not significantly different from the winner ({_reason(metric, comparison)})"
        for finalist, comparison in others
        if not comparison.is_significant
    ]


def _reason(metric: MetricName, comparison: Comparison) -> str:
    """The difference and its interval, or why there is no interval: one of no width would suggest certainty."""
    if comparison.outcome == ComparisonOutcome.NO_VARIANCE:
        return "no information: no validation image and no seed makes a difference between them"
    if comparison.outcome == ComparisonOutcome.ONE_SEED:
        return "no information from one seed each"
    difference = format_difference(metric, comparison.difference)
    return f"difference {difference}, 95 % {comparison.method} interval {format_interval(metric, comparison)}"
