"""Chooses the winner's student, the best known network within the limits; and the student's record."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from optuna.trial import FrozenTrial, TrialState

from searchspace.finals.race.field import choose_finalists
from searchspace.storage.search_folder import STUDENT
from searchspace.study.trial_attributes import read_config
from trainables.config import Frozen, TrialConfig
from trainables.export.benchmark.architecture_cost import (
    ArchitectureCost,
    BenchmarkError,
    describe_network,
    shaping_fields,
)
from trainables.storage.files import read_record, write_file

STUDENT_FILE = "student.json"


class LimitChecker(Protocol):
    """Measures what networks cost, and checks the limits."""

    def refusal(self, config: TrialConfig) -> str:
        """The limits that a configuration breaks, on one line; empty if it keeps them."""

    def cost(self, config: TrialConfig) -> ArchitectureCost | None:
        """The cost of its architecture; None if that is not known."""

    def parameters(self, config: TrialConfig) -> int:
        """Number of parameters; raises `BenchmarkError` if nothing can be built."""


class StudentChoice(Frozen):
    """A configuration that keeps the limits."""

    trial: int | None
    """Number of its trial; None for a configuration that was drawn from the space after the search."""
    config: TrialConfig
    """The configuration to train."""
    cost: ArchitectureCost | None
    """Measured cost of its architecture, as far as the limits require."""


class StudentStatus(StrEnum):
    """How far a student is."""

    CHOSEN = "chosen"
    TRAINED = "trained"
    FAILED = "failed"


class Student(StudentChoice):
    """The winner's student, its limits and its training; the file `student/student.json`."""

    limits: dict[str, float]
    """The limits that it has to keep, by option of the search."""
    teacher: str
    """The winner whose predictions it learns, such as `trial 7`."""
    temperature: float
    """Temperature of the distillation loss, which divides the logits of both."""
    seed: int
    """Seed of its training."""
    epochs: int
    """Epochs of its training, on train and validation images."""
    status: StudentStatus = StudentStatus.CHOSEN
    """Its state."""
    reason: str = ""
    """Why its training failed."""


def choose_student(
    trials: Sequence[FrozenTrial], sample: Iterable[TrialConfig], checker: LimitChecker
) -> StudentChoice | None:
    """The best full-length trial that keeps the limits; else the largest network of `sample` that does; else None.

    The search did not apply the limits, so it may hold few small networks, badly trained and stopped early. A network
    of the sample is therefore trained with the hyperparameters of the best trial of its model. The model that did best
    comes first, and of one model the network with the most parameters.
    """
    ranked = choose_finalists(trials, len(trials))
    for trial in ranked:
        if trial.state == TrialState.COMPLETE and not checker.refusal(read_config(trial)):
            return StudentChoice(trial=trial.number, config=read_config(trial), cost=checker.cost(read_config(trial)))
    best: dict[str, TrialConfig] = {}
    for trial in ranked:
        best.setdefault(read_config(trial).model, read_config(trial))
    models = list(best)
    drawn = _largest_first([_with_hyperparameters(best.get(config.model), config) for config in sample], checker)
    for config in sorted(drawn, key=lambda config: (*models, config.model).index(config.model)):
        if not checker.refusal(config):
            return StudentChoice(trial=None, config=config, cost=checker.cost(config))
    return None


def _with_hyperparameters(known: TrialConfig | None, drawn: TrialConfig) -> TrialConfig:
    """The network of `drawn` with the training hyperparameters of `known`."""
    if known is None:
        return drawn
    shape = drawn.model_dump(include=set(shaping_fields(drawn.model)))
    # Test-time mirroring helps only a network that was trained on mirrored images.
    shape["tta"] = drawn.tta and known.flip != "none"
    return known.model_copy(update=shape)


def _largest_first(configs: Iterable[TrialConfig], checker: LimitChecker) -> list[TrialConfig]:
    """Each network that can be built, once, by descending number of parameters."""
    sizes = {}
    for config in {describe_network(config): config for config in configs}.values():
        try:
            sizes[config] = checker.parameters(config)
        except BenchmarkError:
            continue
    return sorted(sizes, key=lambda config: -sizes[config])


def read_student(folder: Path) -> Student | None:
    """The student of the search in `folder`; None where it has none."""
    try:
        return read_record(folder / STUDENT / STUDENT_FILE, Student)
    except FileNotFoundError:
        return None


def write_student(folder: Path, student: Student) -> None:
    """Write the student's record into the search in `folder`."""
    write_file(folder / STUDENT / STUDENT_FILE, student.model_dump_json(indent=1).encode())
