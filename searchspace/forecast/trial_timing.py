"""The cost of trials from their own reports: of any trial, and of the one that would win now."""

from collections.abc import Iterable, Sequence
from statistics import median

from optuna.trial import FrozenTrial, TrialState

from searchspace.families.family import family_of
from searchspace.study.trial_attributes import read_config, read_curve
from trainables.config import EpochReport, TrialConfig
from trainables.data.loading.epoch_plan import batch_count
from trainables.data.store.data_summary import DataSummary
from trainables.models.model_registry import is_closed_form
from trainables.training.timing import Timing


def family_name(config: TrialConfig) -> str:
    """The model, and how it is trained: trials that have both in common cost about the same."""
    return str(family_of(config))


def make_timing(
    config: TrialConfig, curve: Sequence[EpochReport], data: DataSummary, steady: Sequence[EpochReport] = ()
) -> Timing:
    """The cost of a trial, from its own epochs; time spent waiting for the gang counts as set-up.

    `steady` are the epochs that later ones will be like, if not all of them. Of a closed-form head, which reports once,
    an epoch is the whole of its training.
    """
    first, timed = curve[0], steady or curve
    setup = max(first.wait_seconds, first.setup_seconds)
    known = Timing(
        config=config, steps=1, parameters=first.parameters, once_seconds=first.shared_seconds,
        setup_seconds=max(0.0, setup - first.shared_seconds),
    )  # fmt: skip
    if is_closed_form(config):
        return known.model_copy(update={"step_seconds": median(report.seconds for report in timed)})
    steps = batch_count(data.train, config.batch_size)
    training = median(data.train / report.images_per_second for report in timed)
    evaluation = max(0.0, median(report.seconds for report in timed) - training)
    return known.model_copy(update={"steps": steps, "step_seconds": training / steps, "evaluation_seconds": evaluation})


def incumbent_timing(trials: Iterable[FrozenTrial], data: DataSummary) -> Timing | None:
    """The cost of the trial that would win now: the best at full length, else of those that got furthest.

    None before the first epoch.
    """
    tried = [(trial, curve) for trial in trials if (curve := _epochs(trial))]
    if not tried:
        return None

    def rank(found: tuple[FrozenTrial, list[EpochReport]]) -> tuple[bool, int, float]:
        trial, curve = found
        return trial.state == TrialState.COMPLETE, curve[-1].epoch, curve[-1].objective_value

    best, curve = max(tried, key=rank)
    return make_timing(read_config(best), curve, data)


def _epochs(trial: FrozenTrial) -> list[EpochReport]:
    """Reports of a trial's epochs; none of a trial that failed."""
    if trial.state == TrialState.FAIL or "config" not in trial.user_attrs:
        return []
    return [report for report in read_curve(trial) if report.status != "failed"]
