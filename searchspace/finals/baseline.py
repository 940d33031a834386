"""Baselines of the winner: the most frequent class alone, and the configuration that the search began with.

The default configuration is trained in the finals from as many fresh seeds as any finalist, and scored on the same
images. It competes like a finalist: where it is best, it wins.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState
from pydantic import TypeAdapter

from searchspace.finals.select_winner import FinalistPredictions
from searchspace.spec import SearchSpec
from searchspace.study.refusals import is_refused
from searchspace.study.study import StudyReader, parse_study_attribute
from searchspace.study.trial_attributes import is_revived
from trainables.config import Frozen
from trainables.metrics.class_counts import Weights
from trainables.metrics.class_metrics import TestMetrics
from trainables.metrics.metric_registry import MetricName, compute_score

TRIAL_ORIGIN = "origin"
"""Attribute of a trial that was enqueued before the search began: where its values come from."""
BASELINE = "baseline"
"""Attribute of the study."""
Origin = Literal["probe", "default", "portfolio", "warm start"]


class Baseline(Frozen):
    """The configuration that a search began with, and the score of answering without any training."""

    trial: int | None
    """Number of the trial; None where no trial was trained."""
    kind: Literal["default", "first"]
    """The space's default configuration, or the first configuration drawn from a space without a default."""
    reference: bool
    """Whether it was trained in the finals for comparison only, and was no finalist."""
    majority: float
    """Score of the most frequent class on the finals' validation images; for the log loss, of the class shares."""
    reason: str = ""
    """Why it has no re-score: its trial failed, or its fresh trainings did; empty where it has one."""

    @property
    def label(self) -> str:
        """`default configuration (trial 0)`."""
        what = "default configuration" if self.kind == "default" else "first configuration"
        return what if self.trial is None else f"{what} (trial {self.trial})"


def find_baseline(spec: SearchSpec, trials: Sequence[FrozenTrial]) -> tuple[FrozenTrial | None, bool]:
    """The trial that the winner is compared with, and whether it has the space's default configuration.

    It is the first of the default configurations that was trained, so never one that breaks a limit. A user's own
    space has no default: there it is the first trial. Searches of versions that did not record the origin began with
    the default unless they were warm started.
    """
    tried = [t for t in trials if "config" in t.user_attrs and not is_refused(t) and not is_revived(t)]
    defaults = [t for t in trials if t.user_attrs.get(TRIAL_ORIGIN) == "default"]
    trained = [twin for default in defaults if (twin := _find_equal(default, tried))]
    first = next(iter(trained or tried), None)
    return first, bool(trained) or not (defaults or spec.space or spec.warm_start)


def choose_reference(
    spec: SearchSpec, trials: Sequence[FrozenTrial], finalists: Sequence[FrozenTrial]
) -> list[FrozenTrial]:
    """The trial that is trained beside the finalists; empty where it is a finalist, or failed in the search."""
    found, _ = find_baseline(spec, trials)
    known = {trial.number for trial in finalists}
    return [found] if found and found.number not in known and is_trainable(found) else []


def make_baseline(
    spec: SearchSpec, trials: Sequence[FrozenTrial], finalists: Sequence[FrozenTrial],
    contenders: Sequence[FinalistPredictions], labels: NDArray[np.int64], weights: Weights = None,
) -> Baseline:  # fmt: skip
    """The baseline of the finals: `contenders` have a completed training, `labels` (images,) are the true classes.

    Scores are weighted by `weights` (images,), if there are any.
    """
    found, is_default = find_baseline(spec, trials)
    number = found.number if found else None
    rescored = any(contender.members == (number,) for contender in contenders)
    failed = found is not None and not is_trainable(found)
    reason = str(found.user_attrs.get("reason", "it failed")) if found and failed else "no fresh training ended"
    classes = next(iter(contenders[0].probabilities.values())).shape[1]
    return Baseline(
        trial=number, kind="default" if is_default else "first",
        reference=number not in {trial.number for trial in finalists},
        majority=majority_score(spec.metric, labels, classes, weights), reason="" if rescored else reason,
    )  # fmt: skip


def _find_equal(default: FrozenTrial, tried: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """The first trial of the same parameters: the trial itself, or an earlier one that it was refused for."""
    return next((trial for trial in tried if trial.params == default.params), None)


def is_trainable(trial: FrozenTrial) -> bool:
    """Whether a trial can be trained again from fresh seeds; one that failed would most likely fail again."""
    return trial.state in {TrialState.COMPLETE, TrialState.PRUNED}


def majority_score(metric: MetricName, labels: NDArray[np.int64], classes: int, weights: Weights = None) -> float:
    """Score of answering with the classes' shares among `labels` (images,), so with the most frequent class."""
    counts = np.bincount(labels, weights=weights, minlength=classes)
    return compute_score(metric, np.tile(counts / counts.sum(), (len(labels), 1)), labels, weights)


def majority_accuracy(metrics: TestMetrics, training_counts: Sequence[int]) -> float:
    """Test accuracy of always answering the most frequent class of the training images."""
    test_counts = [entry.count for entry in metrics.classes]
    counts = training_counts if len(training_counts) == len(test_counts) else test_counts
    return test_counts[int(np.argmax(counts))] / metrics.count


def read_baseline(study: StudyReader) -> Baseline | None:
    """The baseline of a study's finals; None before them, and for searches of earlier versions."""
    return parse_study_attribute(study, BASELINE, TypeAdapter(Baseline))
