"""A study of a conditional space that a sampler has filled."""

import random
from typing import Any

import optuna
from optuna.trial import TrialState

from searchspace.sampling.samplers import make_sampler
from searchspace.spec import SearchSpec


def make_tpe(seed: int) -> optuna.samplers.BaseSampler:
    return make_sampler(SearchSpec(seed=seed), "tpe")


def draw(trial: optuna.Trial) -> dict[str, Any]:
    kind = trial.suggest_categorical("kind", ["a", "b"])
    trial.suggest_float("x", 1e-3, 1.0, log=True)
    trial.suggest_int("depth_" + kind, 1, 9)
    return dict(trial.params)


def grown(sampler: optuna.samplers.BaseSampler, size: int) -> tuple[optuna.Study, list[dict[str, Any]]]:
    rng = random.Random(0)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    drawn = []
    for _ in range(size):
        trial = study.ask()
        drawn.append(draw(trial))
        trial.report(rng.random(), 1)
        pruned = rng.random() < 0.6
        study.tell(trial, None if pruned else rng.random(), TrialState.PRUNED if pruned else TrialState.COMPLETE)
    return study, drawn
