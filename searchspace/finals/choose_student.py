"""Which network the winner's student is: the best known one that keeps the limits. A pure choice, and its record."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, Protocol

from optuna.trial import FrozenTrial, TrialState

from searchspace.finals.finals import choose_finalists
from searchspace.storage.search_folder import STUDENT
from searchspace.study.trial_attributes import config_of
from trainables.config import Frozen, TrialConfig
from trainables.export.benchmark.architecture_cost import (
    ArchitectureCost,
    MeasureError,
    describe_network,
    shaping_fields,
)
from trainables.storage.files import read_record, write_file

STUDENT_FILE = "student.json"


class LimitChecker(Protocol):
    """Says what networks cost, and whether the limits allow that."""

    def refusal(self, config: TrialConfig) -> str:
        """Which limits it breaks, on one line; empty if none."""

    def cost(self, config: TrialConfig) -> ArchitectureCost | None:
        """What it costs; None if that is not known."""

    def parameters(self, config: TrialConfig) -> int:
        """Number of parameters; raises `MeasureError` if nothing can be built."""


class StudentChoice(Frozen):
    """A configuration that keeps the limits."""

    trial: int | None
    """Trial of the search that it is of; None for one that was drawn from the space afterwards."""
    config: TrialConfig
    """What is trained."""
    cost: ArchitectureCost | None
    """What its architecture was measured to cost, as far as the limits ask."""


class Student(StudentChoice):
    """The winner's student: what it is, what it was held to, and how it was taught; `student/student.json`."""

    limits: dict[str, float]
    """What it has to keep, by option of the search."""
    teacher: str
    """The winner whose answers it learnt, such as `trial 7`."""
    temperature: float
    """Divides the logits of both in its loss."""
    seed: int
    """Seed of its training."""
    epochs: int
    """Epochs of its training, on train and validation images."""
    status: Literal["chosen", "trained", "failed"] = "chosen"
    """How far it is."""
    reason: str = ""
    """Why its training failed."""


def choose_student(
    trials: Sequence[FrozenTrial], sample: Iterable[TrialConfig], judge: LimitChecker
) -> StudentChoice | None:
    """The best full-length trial whose network keeps the limits; else, of a `sample` of the space, the largest one.

    The search was free of the limits, so small networks may have been few, badly trained and soon stopped. Instead of
    one of those, a network of the sample is trained as the best trial of its model was: of the model that did best,
    the one of most parameters, which are the best sign of what it can learn. None if nothing fits.
    """
    ranked = choose_finalists(trials, len(trials))
    for trial in ranked:
        if trial.state == TrialState.COMPLETE and not judge.refusal(config_of(trial)):
            return StudentChoice(trial=trial.number, config=config_of(trial), cost=judge.cost(config_of(trial)))
    best: dict[str, TrialConfig] = {}
    for trial in ranked:
        best.setdefault(config_of(trial).model, config_of(trial))
    models = list(best)
    drawn = _largest_first([_trained_as(best.get(config.model), config) for config in sample], judge)
    for config in sorted(drawn, key=lambda config: (*models, config.model).index(config.model)):
        if not judge.refusal(config):
            return StudentChoice(trial=None, config=config, cost=judge.cost(config))
    return None


def _trained_as(known: TrialConfig | None, drawn: TrialConfig) -> TrialConfig:
    """The network of `drawn` with the training of `known`."""
    if known is None:
        return drawn
    shape = drawn.model_dump(include=set(shaping_fields(drawn.model)))
    # A network that never saw a mirror image has nothing to say about one.
    shape["tta"] = drawn.tta and known.flip != "none"
    return known.model_copy(update=shape)


def _largest_first(configs: Iterable[TrialConfig], judge: LimitChecker) -> list[TrialConfig]:
    """Each network that can be built once, those with most parameters first."""
    sizes = {}
    for config in {describe_network(config): config for config in configs}.values():
        try:
            sizes[config] = judge.parameters(config)
        except MeasureError:
            continue
    return sorted(sizes, key=lambda config: -sizes[config])


def read_student(folder: Path) -> Student | None:
    """The student of the search in `folder`; None where it has none."""
    try:
        return read_record(folder / STUDENT / STUDENT_FILE, Student)
    except FileNotFoundError:
        return None


def write_student(folder: Path, student: Student) -> None:
    """Keep it with the search in `folder`."""
    write_file(folder / STUDENT / STUDENT_FILE, student.model_dump_json(indent=1).encode())
