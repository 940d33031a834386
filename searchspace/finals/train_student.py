"""The winner's student: chosen under the limits, trained on the winner's predictions, tested with the winner."""

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

import optuna

from searchspace.constraints.constraints import describe_cost
from searchspace.engine.assignments import derive_seed, student_assignment
from searchspace.finals.choose_student import (
    LimitChecker,
    Student,
    StudentStatus,
    choose_student,
    read_student,
    write_student,
)
from searchspace.finals.finalist import Finalist
from searchspace.finals.formatting import format_finalist
from searchspace.finals.winner import evaluate_classifier
from searchspace.spec import SearchSpec
from searchspace.storage.search_folder import STUDENT, WINNER
from trainables.common.reporter import Reporter
from trainables.config import EpochReport, TrialConfig
from trainables.export.benchmark.architecture_cost import describe_network
from trainables.metrics.class_metrics import TestMetrics
from trainables.storage.files import copy_file, is_file

if TYPE_CHECKING:
    from trainables.workers.gang_pool import GangPool

logger = logging.getLogger(__name__)


def find_student(
    spec: SearchSpec,
    study: optuna.Study,
    winner: Finalist,
    sample: Iterable[TrialConfig],
    checker: LimitChecker,
    reporter: Reporter,
) -> Student | None:
    """Choose and record the student of `winner`, unless that was done before; None, and a warning, where none fits."""
    from trainables.metrics.predictions import TEST_PERMIT
    from trainables.training.distillation import TEMPERATURE

    known = read_student(spec.folder)
    if known or is_file(spec.folder / WINNER / TEST_PERMIT):
        return known
    reporter.progress("student: measuring networks", 0, 0)
    choice = choose_student(study.get_trials(deepcopy=False), sample, checker)
    if choice is None:
        logger.warning("no student: neither a full-length trial nor a draw of the space keeps the limits")
        return None
    student = Student(
        **choice.model_dump(), limits=spec.limits, teacher=format_finalist(winner), temperature=TEMPERATURE,
        seed=derive_seed(spec.seed, "student"), epochs=spec.student_epochs,
    )  # fmt: skip
    write_student(spec.folder, student)
    logger.info(f"student: {describe_choice(spec, student)}")
    if winner.members == (student.trial,):
        logger.info("the winner keeps the limits itself: its student is the same network, taught")
    return student


def describe_choice(spec: SearchSpec, student: Student) -> str:
    """Describe the student's configuration, the reason of its choice, and its cost."""
    cost = f": {describe_cost(spec, student.cost)}" if student.cost else ""
    how = "the largest of a sample of the space that keeps the limits, as no full-length trial does"
    if student.trial is not None:
        how = f"trial {student.trial}, the best at full length that keeps the limits"
    return f"{how} ({describe_network(student.config)}){cost}"


def train_student(spec: SearchSpec, student: Student, pool: "GangPool", reporter: Reporter) -> None:
    """Train the student on the winner's predictions on train+val, into `student/`; a failure is a warning.

    Does nothing if that was done before. Raises `RuntimeError` if the test split was opened before.
    """
    from trainables.metrics.predictions import TEST_PERMIT

    if student.status != StudentStatus.CHOSEN:
        return
    if is_file(spec.folder / WINNER / TEST_PERMIT):
        raise RuntimeError(f"search {spec.name!r}: its test split was opened before its student was trained")
    task = student_assignment(spec, student.config, student.seed, student.epochs)

    def on_report(report: EpochReport) -> None:
        reporter.progress("student: epochs", report.epoch, student.epochs)

    (report,) = pool.run_trials([task], on_report)
    failed = report.status != "complete"
    if failed:
        logger.warning(f"no student: its training failed ({report.reason})")
    ended = {
        "status": StudentStatus.FAILED if failed else StudentStatus.TRAINED,
        "reason": report.reason if failed else "",
    }
    write_student(spec.folder, student.model_copy(update=ended))
    spec.home.remove_folder(task.checkpoints)


def evaluate_student(spec: SearchSpec, classes: tuple[str, ...], pool: "GangPool") -> TestMetrics | None:
    """Evaluate the student on the test split, with the winner's permit; None where there is no trained student."""
    from trainables.metrics.predictions import TEST_PERMIT

    student, folder = read_student(spec.folder), spec.folder / STUDENT
    if student is None or student.status != StudentStatus.TRAINED:
        return None
    copy_file(spec.folder / WINNER / TEST_PERMIT, folder / TEST_PERMIT)
    return evaluate_classifier(spec, folder, classes, pool)
