"""Searches that end early, on simulated trainings: when they do, when they do not, and what is recorded of it."""

import math

import pytest

from searchspace.families.enough import LEAST_CHANCE_OF_BETTER, EndReason
from searchspace.preparation.first_trials import first_trials
from searchspace.sampling.samplers import make_sampler
from searchspace.spaces import Task, default_space
from searchspace.spec import make_spec
from searchspace.study.early_end import read_early_end
from searchspace.study.study import create_study
from tests.helpers.simulated_search import Problem, Training, simulate_search
from trainables.models.model_registry import is_closed_form

BACKBONE = "tf_efficientnet_lite0"


@pytest.fixture
def task(digits):
    return Task(data=digits, models=("convnet", BACKBONE), pretrained=frozenset({BACKBONE}), gpu=False)


@pytest.fixture
def make(tmp_path):
    def spec(**options):
        given = {"max_epochs": 9, "grace_epochs": 1, "sampler": "random", "patience": 3, "trials": 60, **options}
        return make_spec(name="s", results=str(tmp_path), **given)

    return spec


def problem(task, behaviour, starts=None):
    return Problem(task, default_space, first_trials(default_space, task, {}) if starts is None else starts, behaviour)


def flat(score, loss=1.0):
    """Every training has this score from its first epoch on."""
    return lambda _config, _rng: Training([score] * 9, 1.0, loss=loss)


def rising(config, rng):
    """A network from scratch that learns, and passes the backbones only at its end."""
    if is_closed_form(config):
        return Training([0.8], 0.1)
    return Training([1 - rng.uniform(0.55, 0.65) / epoch for epoch in range(1, 10)], 1.0)


def run(spec, problem, study=None, **options):
    """The reports of a search, and its study; one that is given is resumed."""
    spec.folder.mkdir(exist_ok=True)
    study = study or create_study(spec, make_sampler(spec, "random"))
    return list(simulate_search(spec, problem, study=study, **options)), study


def begun(study):
    return [trial for trial in study.get_trials(deepcopy=False) if "config" in trial.user_attrs]


@pytest.mark.parametrize(("families", "seconds"), [(True, math.inf), (False, math.inf), (True, 6000.0)])
def test_a_search_that_cannot_improve_ends_early_and_says_so(make, task, families, seconds, caplog):
    caplog.set_level("INFO")
    spec = make()
    _, study = run(spec, problem(task, flat(1.0)), families=families, seconds=seconds)
    end = read_early_end(study)
    assert end.reason is EndReason.CHANCE
    assert end.chance < LEAST_CHANCE_OF_BETTER
    assert len(begun(study)) < 60
    assert f"search: {end.describe()}" in caplog.messages
    assert ("trials that are left" if seconds == math.inf else "min that are left") in end.describe()
    assert all(trial.state.is_finished() for trial in begun(study))


def test_without_patience_trials_rule(make, task):
    spec = make(patience=0, trials=20)
    _, study = run(spec, problem(task, flat(1.0, 0.0)))
    assert len(begun(study)) == 20
    assert read_early_end(study) is None


def test_a_search_does_not_end_while_a_family_is_promising(make, task):
    spec = make(patience=1, trials=25)
    _, study = run(spec, problem(task, rising))
    assert read_early_end(study) is None
    assert len(begun(study)) == 25


def test_no_search_ends_before_its_first_trials_have_reported(make, task):
    starts = first_trials(default_space, task, {})
    epochs, study = run(make(patience=1), problem(task, flat(1.0, 0.0), starts))
    assert read_early_end(study).reason is EndReason.NOISE_FLOOR
    first = [trial for trial in study.get_trials(deepcopy=False) if "fixed_params" in trial.system_attrs]
    assert len(first) == len(starts)
    assert all(trial.intermediate_values for trial in first if "config" in trial.user_attrs)
    assert len({epoch.config for epoch in epochs}) <= len(starts) + 2, "and then it ends at once"


def test_an_end_holds_for_the_same_search_and_is_forgotten_with_more_trials(make, task):
    spec, flat_one = make(), problem(task, flat(1.0))
    _, study = run(spec, flat_one)
    count, end = len(begun(study)), read_early_end(study)
    again, _ = run(spec, flat_one, study)
    assert (again, read_early_end(study)) == ([], end)
    run(make(trials=90), flat_one, study)
    assert len(begun(study)) >= count + spec.patience
    assert read_early_end(study).trials == 90
    run(make(trials=len(begun(study)) + 1, patience=0), flat_one, study)
    assert read_early_end(study) is None
