"""What the phases of a search will cost: from its own trials, from earlier searches here, else by careful defaults."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from searchspace.budget.allowance import Phase
from searchspace.budget.budget_plan import PhaseCost

PRETRAINED_IMAGE_S = 0.03
"""Assumed seconds of a pretrained backbone for an image, on one core."""
SCRATCH_IMAGE_S = 0.001
"""Assumed seconds of a network from scratch for an image, on one core."""
START_S = 10.0
"""Assumed seconds of preparation after the data: until the first gang is warm."""
FIRST_TRIAL_S = 5.0
"""Assumed seconds of the first trial, beside what its images cost."""
WINNER_S = 5.0
"""Assumed seconds of the winner's training while no trial is measured."""
SCRATCH_EXPORT_S, PRETRAINED_EXPORT_S = 15.0, 35.0
"""What an export takes that writes and checks one ONNX file, and measures little. Tracing takes most of it: of
EfficientNet-Lite2 such exports took 34 s with 19 test images and 46 s with 153, on two cores."""
CHECKED_TWICE = 2
"""Passes over the test images that an export cannot do without: PyTorch's answers, and the file's."""
FINALS_SLACK, FINALS_SLACK_S = 1.5, 5.0
"""The finals may take so many times what their trainings are expected to, and seconds more: one that was timed at 0.1 s
may take twice as long, and would not be begun."""
ENDING_S = 3.0
"""Assumed seconds after the report: Ray's end, and the last lines."""


@dataclass(frozen=True)
class TrialSeconds:
    """Seconds that trainings at full length cost, as the search has measured them."""

    winner: float
    """Of the trial that wins, or would win now, on a trial's images."""
    finals: float
    """Of all trainings that the finals can take, one after another."""
    longest: float
    """Of the longest of these."""


@dataclass(frozen=True)
class Workload:
    """What the phases of a search have to do."""

    slots: int
    """Trainings at a time."""
    student_share: float
    """Epochs of the winner's student, as a multiple of a trial's; 0 without one."""
    train_images: int
    """Images of training and validation together."""
    test_images: int
    """Images of the test split."""
    growth: float
    """Training images of the retrained winner, as a multiple of a trial's."""
    is_pretrained: bool
    """Whether pretrained backbones are searched."""
    closing: Mapping[Phase, float]
    """Seconds of test, export and report as earlier searches on this machine took them."""


def estimate_costs(work: Workload, measured: TrialSeconds | None) -> dict[Phase, PhaseCost]:
    """The cost of each phase; of preparation, what follows after the data. Nothing is `measured` before a report."""
    image = PRETRAINED_IMAGE_S if work.is_pretrained else SCRATCH_IMAGE_S
    exact = {
        Phase.PREPARATION: START_S,
        Phase.WINNER: work.growth * measured.winner * (1 + work.student_share) if measured else WINNER_S,
        Phase.TEST: work.closing[Phase.TEST],
        Phase.REPORT: work.closing[Phase.REPORT] + ENDING_S,
    }
    alone = PRETRAINED_EXPORT_S if work.is_pretrained else SCRATCH_EXPORT_S
    least = alone + CHECKED_TWICE * work.closing[Phase.TEST]
    return {phase: PhaseCost(seconds, seconds) for phase, seconds in exact.items()} | {
        Phase.SEARCH: PhaseCost(FIRST_TRIAL_S + image * work.train_images / work.slots, math.inf),
        Phase.FINALS: PhaseCost(0.0, _finals_wish(measured, work.slots)),
        Phase.EXPORT: PhaseCost(least, max(least, work.closing[Phase.EXPORT])),
    }


def _finals_wish(measured: TrialSeconds | None, slots: int) -> float:
    if measured is None:
        return math.inf
    return FINALS_SLACK * max(measured.finals / slots, measured.longest) + FINALS_SLACK_S
