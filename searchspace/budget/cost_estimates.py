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
LEAST_EXPORT_S = 15.0
"""Most that an export takes which writes and checks its files, and measures little."""
ENDING_S = 3.0
"""Assumed seconds after the report: Ray's end, and the last lines."""


@dataclass(frozen=True)
class TrialSeconds:
    """Seconds that trainings at full length cost, as far as the search has measured them."""

    finalists: tuple[float, ...] = ()
    """Of the best trials, the best first."""
    reference: float = 0.0
    """Of the search's first configuration, which the finals train too; 0 where it is a finalist."""


@dataclass(frozen=True)
class Workload:
    """What the phases of a search have to do."""

    slots: int
    """Trainings at a time."""
    trainings: int
    """Trainings of one finalist: seeds, or folds times repetitions."""
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


def estimate_costs(work: Workload, measured: TrialSeconds) -> dict[Phase, PhaseCost]:
    """The cost of each phase; of preparation, what follows after the data."""
    image = PRETRAINED_IMAGE_S if work.is_pretrained else SCRATCH_IMAGE_S
    exact = {
        Phase.PREPARATION: START_S,
        Phase.WINNER: _winner_seconds(work, measured) if measured.finalists else WINNER_S,
        Phase.TEST: work.closing[Phase.TEST],
        Phase.REPORT: work.closing[Phase.REPORT] + ENDING_S,
    }
    export = work.closing[Phase.EXPORT]
    return {phase: PhaseCost(seconds, seconds) for phase, seconds in exact.items()} | {
        Phase.SEARCH: PhaseCost(FIRST_TRIAL_S + image * work.train_images / work.slots, math.inf),
        Phase.FINALS: PhaseCost(0.0, _finals_seconds(work, measured)),
        Phase.EXPORT: PhaseCost(min(export, LEAST_EXPORT_S), export),
    }


def _winner_seconds(work: Workload, measured: TrialSeconds) -> float:
    """Seconds of the winner's training on all images, and of its student's; of any of the finalists, the mean."""
    mean = sum(measured.finalists) / len(measured.finalists)
    return work.growth * max(measured.finalists[0], mean) * (1 + work.student_share)


def _finals_seconds(work: Workload, measured: TrialSeconds) -> float:
    """Seconds of all finals on all slots; without bound while no trial is measured."""
    if not measured.finalists:
        return math.inf
    each = [*measured.finalists, measured.reference]
    return max(work.trainings * sum(each) / work.slots, *each)
