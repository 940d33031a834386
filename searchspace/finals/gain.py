"""The gain of a search: how much better its winner is than the configuration that it began with."""

from collections.abc import Sequence
from typing import Literal

from pydantic import TypeAdapter

from searchspace.finals.baseline import Baseline, read_baseline
from searchspace.finals.comparison import INTERVAL_METHOD, Comparison, ComparisonOutcome
from searchspace.finals.formatting import format_difference, format_finalist, format_interval, format_score
from searchspace.finals.select_winner import Finalist
from searchspace.study.study import StudyReader, parse_study_attribute
from trainables.config import Frozen
from trainables.metrics.scores import MetricName


class Gain(Frozen):
    """The winner beside the configuration that the search began with, both from fresh seeds on the same images."""

    metric: MetricName
    """The search's metric; scores are of it, higher is better."""
    baseline: Baseline
    """What the search began with, and what the most frequent class scores."""
    default: Finalist | None
    """Its re-score; None where it has none."""
    winner: Finalist
    """The winner's."""

    @property
    def comparison(self) -> Comparison | None:
        """The winner's lead and its 95 % interval; None where there is none."""
        return self.default.comparison if self.default else None

    @property
    def outcome(self) -> ComparisonOutcome | Literal["none", "unknown"]:
        """What the lead shows: `none` where the default is the winner, `unknown` where it has no re-score."""
        if self.default is None:
            return "unknown"
        return self.comparison.outcome if self.comparison else "none"

    @property
    def amount(self) -> float | None:
        """The winner's mean score less the default's; None where that is unknown."""
        if self.default is None:
            return None
        return self.comparison.difference if self.comparison else 0.0


def read_gain(metric: MetricName, study: StudyReader) -> Gain | None:
    """What the search bought; None before the finals' end, and of searches of earlier versions."""
    finalists = parse_study_attribute(study, "finalists", TypeAdapter(tuple[Finalist, ...])) or ()
    return gain_of(metric, finalists, read_baseline(study))


def gain_of(metric: MetricName, finalists: Sequence[Finalist], baseline: Baseline | None) -> Gain | None:
    """The same from finalists, the winner first."""
    if baseline is None or not finalists:
        return None
    default = next((finalist for finalist in finalists if finalist.name == baseline.trial), None)
    return Gain(metric=metric, baseline=baseline, default=default, winner=finalists[0])


def format_gain(gain: Gain) -> str:
    """`majority class 10.48%, default configuration (trial 0) 99.13%, winner 99.85%: gain 0.73 points (...)`."""
    metric = gain.metric
    steps = [f"majority class {format_score(metric, gain.baseline.majority)}"]
    if gain.default is not None and gain.outcome != "none":
        steps.append(f"{gain.baseline.words} {format_score(metric, gain.default.score)}")
    steps.append(f"winner ({format_finalist(gain.winner)}) {format_score(metric, gain.winner.score)}")
    return f"{', '.join(steps)}: {format_gain_outcome(gain)}"


def format_gain_outcome(gain: Gain) -> str:
    """The gain over the default, and whether it is more than chance."""
    words, comparison = gain.baseline.words, gain.comparison
    if gain.outcome == "unknown":
        return f"the {words} has no re-score ({gain.baseline.reason}), so what the search gained over it is unknown"
    if comparison is None:
        return f"the {words} is the winner, so the search gained nothing over it"
    amount = f"gain {format_difference(gain.metric, comparison.difference)}"
    sure = f"{amount} (95 % {INTERVAL_METHOD} interval {format_interval(gain.metric, comparison)})"
    return {
        "significant": f"{sure}, significant",
        "not significant": f"{sure}, not significant",
        "one seed": f"{amount}; not significant with one seed each, --final-seeds 2 or more can show it",
        "no variance": "no difference, on no image and from no seed",
    }[comparison.outcome]
