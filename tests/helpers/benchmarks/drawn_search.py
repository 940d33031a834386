"""A finished search of many trials whose scores are drawn."""

import random

import optuna

from searchspace.spaces import Task, default_space
from searchspace.spec import SearchSpec, save_record
from searchspace.stopping.rung import RungStanding
from searchspace.study.study import create_study, flush_study
from searchspace.study.trial_attributes import (
    record_config,
    record_pace,
    record_reason,
    record_report,
    record_stop,
)
from trainables.config import EpochReport, TrialConfig
from trainables.data.store.store import prepare_data

RUNGS = (2, 6, 18)
SHARES = (2 / 3, 2 / 9, 1 / 9)
"""Of all trials, those that end at each rung; the last is the full length."""


def write_search(spec: SearchSpec) -> None:
    """A finished search as its folder would hold it, with drawn scores."""
    lite0 = "tf_efficientnet_lite0"
    task = Task(data=prepare_data(spec.data), models=("convnet", lite0), pretrained=frozenset({lite0}), gpu=False)
    study = create_study(spec, optuna.samplers.RandomSampler(seed=spec.seed))
    save_record(spec.folder, spec, {})
    rng = random.Random(spec.seed)
    for _ in range(spec.trials):
        trial = study.ask()
        record_config(trial, TrialConfig(**default_space(trial, task)), rng.getrandbits(31))
        train(study, trial, rng.choices(RUNGS, SHARES)[0], rng)
    flush_study(study)


def train(study: optuna.Study, trial: optuna.Trial, epochs: int, rng: random.Random) -> None:
    """Tell the study one trial's epochs and its end, as the searcher does."""
    for epoch in range(1, epochs + 1):
        report = EpochReport(
            trial=f"{trial.number:04d}", epoch=epoch, score=rng.random(), accuracy=rng.random(), val_loss=rng.random(),
            train_loss=rng.random(), seconds=rng.random(), total_seconds=epoch * rng.random(), parameters=124530,
            images_per_second=1e4 * rng.random(), micro_batch=64, wait_seconds=rng.random() / 10,
            status="complete" if epoch == RUNGS[-1] else "running",
        )  # fmt: skip
        record_report(trial, trial.number * RUNGS[-1] + epoch, report)
    record_pace(trial, report)
    if report.status == "complete":
        study.tell(trial, report.score)
        return
    standing = RungStanding(rung=epochs, value=report.objective_value, cutoff=0.9, rank=200, of=300)
    record_stop(trial, standing)
    record_reason(trial, standing.describe())
    study.tell(trial, state=optuna.trial.TrialState.PRUNED)
