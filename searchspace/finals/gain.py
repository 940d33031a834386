"""What a search bought: how much better its winner is than what there was without it."""

from collections.abc import Sequence
from typing import Literal

from pydantic import TypeAdapter

from searchspace.finals.baseline import Baseline, read_baseline
from searchspace.finals.comparison import Comparison, Outcome
from searchspace.finals.select_winner import Finalist
from searchspace.study.study import Recorded, read_attribute
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
        return self.default.behind if self.default else None

    @property
    def outcome(self) -> Outcome | Literal["none", "unknown"]:
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


def read_gain(metric: MetricName, study: Recorded) -> Gain | None:
    """What the search bought; None before the finals' end, and of searches of earlier versions."""
    finalists = read_attribute(study, "finalists", TypeAdapter(tuple[Finalist, ...])) or ()
    return gain_of(metric, finalists, read_baseline(study))


def gain_of(metric: MetricName, finalists: Sequence[Finalist], baseline: Baseline | None) -> Gain | None:
    """The same from finalists, the winner first."""
    if baseline is None or not finalists:
        return None
    default = next((finalist for finalist in finalists if finalist.name == baseline.trial), None)
    return Gain(metric=metric, baseline=baseline, default=default, winner=finalists[0])
