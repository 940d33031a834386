"""Seconds of the phases that follow a search, estimated from what is known while it runs."""

import math

from searchspace.budget.allowance import Phase
from searchspace.forecast.known_times import ClosingTimes
from searchspace.spec import SearchSpec
from trainables.config import Frozen
from trainables.data.store.data_summary import DataSummary
from trainables.models.model_registry import is_closed_form, learning_kind
from trainables.training.timing import Timing


class PhaseCosts(Frozen):
    """Estimated seconds of each phase after the search, one after another."""

    finals: float
    """Finalists again from fresh seeds, on all slots."""
    winner: float
    """The winner on train and validation images, and its student if there will be one."""
    test: float
    """The evaluation on the test split."""
    export: float
    """Files, parity checks and measurements."""
    report: float
    """Report and model card."""

    @property
    def total(self) -> float:
        """All of them."""
        return self.finals + self.winner + self.test + self.export + self.report

    def of(self, phase: Phase) -> float:
        """Seconds of one phase; 0 for those that are not estimated here."""
        return float(getattr(self, phase.value, 0.0))


def estimate_phases(
    winner: Timing,
    spec: SearchSpec,
    data: DataSummary,
    slots: int,
    closing: ClosingTimes,
    trainings: float | None = None,
) -> PhaseCosts:
    """Estimate the phases after the search, if a trial of `winner`'s cost wins and its finalists cost the same.

    `winner` is the cost of the probable winner (`incumbent_timing`), `closing` what its model's test, export and report
    took before (`read_closing_times`). `trainings` is the number of the finals' trainings that are expected; by
    default, as many as there can be.
    """
    count = most_trainings(spec, winner) if trainings is None else trainings
    return PhaseCosts(
        finals=math.ceil(count / max(1, slots)) * training_seconds(winner, spec.max_epochs),
        winner=_winner_seconds(winner, spec, data.growth),
        test=_test_seconds(winner, data, closing),
        export=closing.export,
        report=closing.report,
    )


def repeats_of(finalist: Timing, spec: SearchSpec) -> int:
    """Trainings of one finalist: from each seed or on each fold. A closed-form head has no seed: one is enough."""
    return max(1, spec.folds) * (1 if is_closed_form(finalist.config) else spec.final_seeds)


def most_trainings(spec: SearchSpec, winner: Timing) -> int:
    """Most trainings that finals can take, where all finalists, and trial 0, are like the winner."""
    return (spec.finalists + 1) * repeats_of(winner, spec)


def training_seconds(timing: Timing, epochs: int, growth: float = 1.0, scored: bool = True) -> float:
    """Seconds of one training at full length, on `growth` times a trial's images, with or without evaluations."""
    epoch = growth * timing.training_seconds + (timing.evaluation_seconds if scored else 0.0)
    return timing.setup_seconds + epoch * (1 if is_closed_form(timing.config) else epochs)


def _winner_seconds(winner: Timing, spec: SearchSpec, growth: float) -> float:
    """The winner, then its student, an epoch of which is assumed to take as long."""
    seconds = training_seconds(winner, spec.max_epochs, growth, scored=False)
    if spec.student_epochs:
        seconds += winner.setup_seconds + growth * winner.training_seconds * spec.student_epochs
    return seconds


def _test_seconds(winner: Timing, data: DataSummary, closing: ClosingTimes) -> float:
    """Loading the network, and a pass over the test images at the rate of this search's own passes, if it had any.

    A head on frozen features says nothing of a pass over images, but what computed its features does.
    """
    if winner.once_seconds:
        rate = winner.once_seconds / (data.train + data.val)
    elif learning_kind(winner.config) != "frozen" and winner.evaluation_seconds:
        rate = winner.evaluation_seconds / data.val
    else:
        rate = closing.test_image_seconds
    return winner.setup_seconds + rate * data.test
