"""The gain of a search: the difference between its winner and the configuration that it began with."""

from collections.abc import Sequence
from enum import StrEnum

from searchspace.finals.baseline import Baseline, read_baseline
from searchspace.finals.comparison import Comparison, ComparisonOutcome
from searchspace.finals.finalist import Finalist, read_finalists
from searchspace.finals.formatting import format_difference, format_finalist, format_interval, format_score
from searchspace.study.study import StudyReader
from trainables.config import Frozen
from trainables.metrics.metric_registry import MetricName


class NoLead(StrEnum):
    """Why a winner has no lead over the default configuration."""

    SAME = "none"
    """The default configuration is the winner."""
    UNKNOWN = "unknown"
    """The default configuration has no re-score."""


class Gain(Frozen):
    """The winner and the configuration that the search began with, both from fresh seeds on the same images."""

    metric: MetricName
    """The search's metric, in which all scores are; higher is better."""
    baseline: Baseline
    """The configuration that the search began with, and the score of the most frequent class."""
    default: Finalist | None
    """That configuration as a finalist; None where it has no re-score."""
    winner: Finalist
    """The winner as a finalist."""

    @property
    def comparison(self) -> Comparison | None:
        """The winner's lead and its 95 % interval; None where the default has no re-score, or is the winner."""
        return self.default.comparison if self.default else None

    @property
    def outcome(self) -> ComparisonOutcome | NoLead:
        """What the winner's lead shows, or why there is none."""
        if self.default is None:
            return NoLead.UNKNOWN
        return self.comparison.outcome if self.comparison else NoLead.SAME

    @property
    def amount(self) -> float | None:
        """The winner's mean score minus the default's; None where that is unknown."""
        if self.default is None:
            return None
        return self.comparison.difference if self.comparison else 0.0


def read_gain(metric: MetricName, study: StudyReader) -> Gain | None:
    """The gain of a search; None before the finals' end, and for searches of earlier versions."""
    return make_gain(metric, read_finalists(study), read_baseline(study))


def make_gain(metric: MetricName, finalists: Sequence[Finalist], baseline: Baseline | None) -> Gain | None:
    """The same, from finalists with the winner first."""
    if baseline is None or not finalists:
        return None
    default = next((finalist for finalist in finalists if finalist.name == baseline.trial), None)
    return Gain(metric=metric, baseline=baseline, default=default, winner=finalists[0])


def format_gain(gain: Gain) -> str:
    """`majority class 10.48%, default configuration (trial 0) 99.13%, winner 99.85%: gain 0.73 points (...)`."""
    metric = gain.metric
    steps = [f"majority class {format_score(metric, gain.baseline.majority)}"]
    if gain.default is not None and gain.outcome != NoLead.SAME:
        steps.append(f"{gain.baseline.label} {format_score(metric, gain.default.score)}")
    steps.append(f"winner ({format_finalist(gain.winner)}) {format_score(metric, gain.winner.score)}")
    return f"{', '.join(steps)}: {format_gain_outcome(gain)}"


def format_gain_outcome(gain: Gain) -> str:
    """The gain over the default, and whether it is more than chance."""
    label, comparison = gain.baseline.label, gain.comparison
    if gain.outcome == NoLead.UNKNOWN:
        return f"the {label} has no re-score ({gain.baseline.reason}), so what the search gained over it is unknown"
    if comparison is None:
        return f"the {label} is the winner, so the search gained nothing over it"
    amount = f"gain {format_difference(gain.metric, comparison.difference)}"
    sure = f"{amount} (95 % {comparison.method} interval {format_interval(gain.metric, comparison)})"
    return {
        ComparisonOutcome.SIGNIFICANT: f"{sure}, significant",
        ComparisonOutcome.NOT_SIGNIFICANT: f"{sure}, not significant",
        ComparisonOutcome.ONE_SEED: f"{amount}; not significant with one seed each, --final-seeds 2 or more can be",
        ComparisonOutcome.NOT_RESCORED: f"{amount} by the search's scores; the winner was not trained again",
        ComparisonOutcome.NO_VARIANCE: "no difference, on no image and from no seed",
    }[comparison.outcome]
