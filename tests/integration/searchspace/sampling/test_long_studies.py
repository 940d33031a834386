"""Samplers on studies of many trials."""

import optuna
import pytest

from searchspace.sampling.sampler_registry import SAMPLERS
from searchspace.sampling.samplers import make_sampler as make_named
from searchspace.sampling.window import (
    MAX_BEST,
    MAX_NEWEST,
)
from searchspace.spec import SearchSpec
from tests.helpers.sampled_study import draw, grown, make_tpe


def test_a_large_study_is_sampled_from_its_window(monkeypatch):
    study, _ = grown(make_tpe(1), MAX_BEST + MAX_NEWEST + 40)
    seen = []
    build = optuna.samplers.TPESampler._build_parzen_estimator

    def count(self, study, space, trials, **options):
        seen.append(len(trials))
        return build(self, study, space, trials, **options)

    monkeypatch.setattr(optuna.samplers.TPESampler, "_build_parzen_estimator", count)
    draw(study.ask())
    assert seen
    assert max(seen) <= MAX_BEST + MAX_NEWEST


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("sampler_space", ["numbers", "conditional"])
def test_every_sampler_draws_valid_values_and_the_same_for_the_same_seed(name, sampler_space):
    def draw_numbers(trial):
        return {"x": trial.suggest_float("x", 0.0, 1.0), "y": trial.suggest_float("y", 1e-3, 1.0, log=True)}

    def run(seed):
        study = optuna.create_study(direction="maximize", sampler=make_named(SearchSpec(seed=seed), name))
        found = []
        for _ in range(16):
            trial = study.ask()
            found.append(draw_numbers(trial) if sampler_space == "numbers" else draw(trial))
            trial.report(found[-1].get("x", 0.5), 2)
            study.tell(trial, found[-1].get("x", 0.5))
        return found

    first = run(0)
    assert first == run(0)
    assert first != run(1)
    assert all(0 <= values.get("x", 0.5) <= 1 for values in first)


@pytest.mark.parametrize("name", ["tpe", "gp", "cmaes"])
def test_samplers_learn_from_trials_that_wait_at_a_rung(name):
    """No trial is complete: everybody waits at the first rung, and the good ones are near x = 0.8."""
    study = optuna.create_study(direction="maximize", sampler=make_named(SearchSpec(seed=1), name))
    late = []
    for number in range(40):
        trial = study.ask()
        x = trial.suggest_float("x", 0.0, 1.0)
        trial.report(-abs(x - 0.8), 2)
        trial.set_user_attr("waits_at", 2)
        late += [x] if number >= 25 else []
    assert sum(abs(x - 0.8) < 0.15 for x in late) >= 9, late
