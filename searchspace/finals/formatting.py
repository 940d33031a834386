"""How scores, and what is known of them, are said; the same on the terminal and on the winner's page."""

from collections.abc import Sequence

from searchspace.finals.comparison import METHOD, Comparison
from searchspace.finals.select_winner import Finalist
from trainables.metrics.class_metrics import TestMetrics
from trainables.metrics.intervals import WILSON, Ends
from trainables.metrics.scores import METRICS, MetricName

LOG_LOSS = "log_loss"


def say_score(metric: MetricName, score: float) -> str:
    """A score as it stands: 99.63 %, or, of a log loss (negated, so that higher is better), -0.0951."""
    return f"{score:.4f}" if metric == LOG_LOSS else f"{score:.2%}"


def say_amount(metric: MetricName, amount: float) -> str:
    """A difference of scores, or their deviation: 0.44 points, or 0.0123 nats."""
    return f"{amount:.4f} nats" if metric == LOG_LOSS else f"{100 * amount:.2f} points"


def say_interval(metric: MetricName, behind: Comparison) -> str:
    """The 95 % interval of a distance to the winner: `-0.20 to 0.79`; empty where there is no information."""
    if behind.low is None or behind.high is None or behind.outcome == "no variance":
        return ""
    return " to ".join(say_amount(metric, end).split()[0] for end in (behind.low, behind.high))


def say_name(finalist: Finalist) -> str:
    """`trial 25`, or `ensemble of trials 3, 7, 25`."""
    numbers = ", ".join(map(str, finalist.members))
    return f"trial {numbers}" if len(finalist.members) == 1 else f"ensemble of trials {numbers}"


def say_rescore(metric: MetricName, finalist: Finalist) -> str:
    """Mean and deviation over the fresh seeds, and how many those are."""
    count = len(finalist.scores)
    spread = "" if finalist.deviation is None else f" ± {say_amount(metric, finalist.deviation)}"
    lost = f" ({finalist.lost} more failed)" if finalist.lost else ""
    return f"{say_score(metric, finalist.score)}{spread} over {count} fresh seed{'s' if count > 1 else ''}{lost}"


def tested(metric: MetricName, metrics: TestMetrics) -> tuple[float, float, float]:
    """Test score in the search's metric, higher is better, and the ends of its 95 % interval."""
    return {
        "accuracy": (metrics.accuracy, metrics.accuracy_low, metrics.accuracy_high),
        "balanced_accuracy": (metrics.recall_macro, metrics.recall_macro_low, metrics.recall_macro_high),
        "f1_macro": (metrics.f1_macro, metrics.f1_macro_low, metrics.f1_macro_high),
        LOG_LOSS: (-metrics.log_loss, -metrics.log_loss_high, -metrics.log_loss_low),
    }[metric]


def score_intervals(metrics: TestMetrics) -> list[tuple[str, float | None, Ends | None, str]]:
    """Name, value, 95 % interval and its method of each test score, as they are, of which some have no interval."""
    m = metrics
    return [
        ("accuracy", m.accuracy, (m.accuracy_low, m.accuracy_high), m.method("accuracy")),
        ("top-5 accuracy", m.top5, m.top5_interval, WILSON),
        (
            "balanced accuracy (mean recall)", m.recall_macro, (m.recall_macro_low, m.recall_macro_high),
            m.method("balanced_accuracy"),
        ),
        ("F1, mean over classes", m.f1_macro, (m.f1_macro_low, m.f1_macro_high), m.method("f1_macro")),
        ("precision, mean over classes", m.precision_macro, None, ""),
        ("log loss, nats", m.log_loss, (m.log_loss_low, m.log_loss_high), m.method("log_loss")),
        ("calibration error", m.calibration_error, None, ""),
    ]  # fmt: skip


def say_test(metric: MetricName, metrics: TestMetrics) -> str:
    """Test score and its interval."""
    return f"{say_score(metric, tested(metric, metrics)[0])} ({say_test_interval(metric, metrics)})"


def say_test_interval(metric: MetricName, metrics: TestMetrics) -> str:
    """`95 % Wilson interval 98.89% to 100.00%`: the interval of a test score, with its method."""
    _, low, high = (say_score(metric, value) for value in tested(metric, metrics))
    return f"95 % {metrics.method(metric)} interval {low} to {high}"


def say_ends(metric: MetricName, metrics: TestMetrics) -> str:
    """`98.89% to 100.00% (Wilson)`: the same in a cell of a board."""
    _, low, high = (say_score(metric, value) for value in tested(metric, metrics))
    return f"{low} to {high} ({metrics.method(metric)})"


def say_top5(metrics: TestMetrics) -> str:
    """Top-5 accuracy and its interval; nothing for few classes."""
    if metrics.top5 is None or metrics.top5_interval is None:
        return ""
    low, high = metrics.top5_interval
    return f"{metrics.top5:.2%} (95 % {WILSON} interval {low:.2%} to {high:.2%})"


def say_way(metric: MetricName, winner: Finalist, metrics: TestMetrics) -> str:
    """The winner's three scores in one line: search, re-score, test."""
    search = "" if winner.search_score is None else f"search {say_score(metric, winner.search_score)} -> "
    early = "" if winner.full_length or not search else "(stopped early) "
    return (
        f"{say_name(winner)}, {METRICS[metric].words}: {search}{early}re-score {say_rescore(metric, winner)} -> "
        f"test {say_test(metric, metrics)}"
    )


def tell_doubts(metric: MetricName, finalists: Sequence[Finalist]) -> list[str]:
    """A sentence for each finalist that may be as good as the winner; one for all where nothing can be told."""
    others = [(finalist, finalist.behind) for finalist in finalists if finalist.behind]
    if others and all(behind.outcome == "one seed" for _, behind in others):
        return ["one seed each tells no finalist apart from another; --final-seeds 2 or more does"]
    return [
        f"{say_name(finalist)} cannot be told apart from the winner ({_reason(metric, behind)})"
        for finalist, behind in others
        if not behind.told_apart
    ]


def _reason(metric: MetricName, behind: Comparison) -> str:
    """The difference and its interval; or why there is none, as an interval of no width would look sure."""
    if behind.outcome == "no variance":
        return "no information: no validation image and no seed makes a difference between them"
    if behind.outcome == "one seed":
        return "no information from one seed each"
    return f"difference {say_amount(metric, behind.difference)}, 95 % {METHOD} interval {say_interval(metric, behind)}"
