"""The sampler's window: the same as Optuna's TPE until a study outgrows it, and what it keeps after that."""

import random

import optuna
import pytest
from optuna.trial import TrialState

from searchspace.sampling.samplers import STARTUP_TRIALS
from searchspace.sampling.samplers import make_sampler as make_named
from searchspace.sampling.window import BEST, NEWEST, choose_window
from searchspace.spec import SearchSpec


def make_sampler(seed):
    return make_named(SearchSpec(seed=seed), "tpe")


def draw(trial) -> dict:
    kind = trial.suggest_categorical("kind", ["a", "b"])
    trial.suggest_float("x", 1e-3, 1.0, log=True)
    trial.suggest_int("depth_" + kind, 1, 9)
    return dict(trial.params)


def grown(sampler, size) -> tuple[optuna.Study, list[dict]]:
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


def test_a_small_study_is_sampled_as_by_optuna():
    plain = optuna.samplers.TPESampler(
        n_startup_trials=STARTUP_TRIALS, multivariate=True, group=True, constant_liar=True, seed=3
    )
    assert grown(make_sampler(3), 60)[1] == grown(plain, 60)[1]


@pytest.fixture(scope="module")
def large() -> list:
    return grown(optuna.samplers.RandomSampler(seed=0), 3 * (BEST + NEWEST))[0].get_trials()


def test_the_window_keeps_the_best_and_the_newest(large):
    window = choose_window(large)
    assert len(window) == BEST + NEWEST
    complete = sorted((t for t in large if t.state == TrialState.COMPLETE), key=lambda t: t.value, reverse=True)
    kept = {t.number for t in window}
    assert {t.number for t in complete[:BEST]} <= kept, "full-length trials come before stopped ones"
    assert {t.number for t in large[-NEWEST:]} <= kept
    assert [t.number for t in window] == sorted(kept)


def test_the_window_keeps_what_runs_and_forgets_failures(large):
    running = optuna.trial.create_trial(state=TrialState.RUNNING)
    failed = optuna.trial.create_trial(state=TrialState.FAIL)
    for number, trial in enumerate((running, failed)):
        trial.number = len(large) + number
    window = choose_window([*large, running, failed])
    assert running in window
    assert failed not in window


def test_a_large_study_is_sampled_from_its_window(monkeypatch):
    study, _ = grown(make_sampler(1), BEST + NEWEST + 40)
    seen = []
    build = optuna.samplers.TPESampler._build_parzen_estimator

    def count(self, study, space, trials, **options):
        seen.append(len(trials))
        return build(self, study, space, trials, **options)

    monkeypatch.setattr(optuna.samplers.TPESampler, "_build_parzen_estimator", count)
    draw(study.ask())
    assert seen
    assert max(seen) <= BEST + NEWEST
