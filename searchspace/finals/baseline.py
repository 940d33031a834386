"""Baselines of the winner: the most frequent class alone, and the configuration that the search began with.

The default configuration is trained in the finals like any finalist, and scored on the same images, unless it is
hopeless. It competes like a finalist: where it is best, it wins. So does the best probe, a closed-form head on a frozen
backbone: what is no better does not win over it.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState
from pydantic import TypeAdapter

from searchspace.finals.final_trainings import CollectedPredictions
from searchspace.spec import SearchSpec
from searchspace.study.refusals import is_refused
from searchspace.study.study import StudyReader, parse_study_attribute
from searchspace.study.trial_attributes import is_revived, read_config, read_curve
from trainables.config import Frozen
from trainables.metrics.class_counts import Weights
from trainables.metrics.class_metrics import TestMetrics
from trainables.metrics.metric_registry import MetricName, compute_score
from trainables.models.model_registry import is_closed_form

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
    probe: int | None = None
    """Number of the best probe, below which no winner ends; None where the search had none."""

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


def find_probe(trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """The probe with the best search score; None where no probe ended."""
    probes = [t for t in trials if is_probe(t) and t.state == TrialState.COMPLETE and read_curve(t)]
    return max(probes, key=lambda trial: read_curve(trial)[-1].objective_value, default=None)


def is_probe(trial: FrozenTrial) -> bool:
    """Whether a trial is a closed-form head on a frozen backbone, whether the search began with it or sampled it."""
    return trial.user_attrs.get(TRIAL_ORIGIN) == "probe" or (
        "config" in trial.user_attrs and is_closed_form(read_config(trial))
    )


def choose_reference(
    spec: SearchSpec, trials: Sequence[FrozenTrial], finalists: Sequence[FrozenTrial]
) -> list[FrozenTrial]:
    """The trials that are trained beside the finalists: the best probe, and what the search began with.

    Neither where it is a finalist, or failed in the search.
    """
    found, _ = find_baseline(spec, trials)
    known = {trial.number for trial in finalists}
    wanted = {trial.number: trial for trial in (find_probe(trials), found) if trial and is_trainable(trial)}
    return [trial for number, trial in wanted.items() if number not in known]


def make_baseline(
    spec: SearchSpec, trials: Sequence[FrozenTrial], finalists: Sequence[FrozenTrial], found: CollectedPredictions,
    dropped: Mapping[int, str] = MappingProxyType({}),
) -> Baseline:  # fmt: skip
    """The baseline of the finals: `found` is what the contenders with a completed training predicted.

    `dropped` says by trial why it was not trained again.
    """
    first, is_default = find_baseline(spec, trials)
    number = first.number if first else None
    probe = find_probe(trials)
    reason = ""
    if not any(contender.members == (number,) for contender in found.contenders):
        reason = dropped.get(number, "no fresh training ended") if number is not None else "no trial was trained"
        if first is not None and not is_trainable(first):
            reason = str(first.user_attrs.get("reason", "it failed"))
    return Baseline(
        trial=number, kind="default" if is_default else "first",
        reference=number not in {trial.number for trial in finalists}, majority=_majority(spec, found), reason=reason,
        probe=probe.number if probe else None,
    )  # fmt: skip


def _majority(spec: SearchSpec, found: CollectedPredictions) -> float:
    """Score of the most frequent class; 0 where nothing was scored."""
    if not found.contenders:
        return 0.0
    classes = next(iter(found.contenders[0].probabilities.values())).shape[1]
    return majority_score(spec.metric, found.labels, classes, found.weights)


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
