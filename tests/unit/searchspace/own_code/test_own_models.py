"""Own models in spaces, pins, first trials and limits, beside those that are built in."""

import optuna
import pytest

from searchspace.families.enumerate_families import enumerate_families
from searchspace.own_code.collected_code import with_own_code
from searchspace.preparation.early_checks import check_early
from searchspace.preparation.first_trials import default_trials
from searchspace.preparation.preflight import check_space, make_task
from searchspace.sampling.transfer import transfer_configs
from searchspace.spaces import default_space, draw_config
from searchspace.spec import make_spec
from tests.helpers.own_models import MODEL, NET, register_net, write_net
from trainables.common.errors import UserError
from trainables.config import Assignment, TrialConfig
from trainables.custom.custom_code import CustomCode
from trainables.custom.register import register
from trainables.data.store.store import prepare_data
from trainables.export.benchmark.architecture_cost import architecture_of, cache_file, describe_network
from trainables.models.model_registry import learning_kind
from trainables.training.snapshot import assignment_digest

OWN = {"heads", "blocks", "ratio"}


@pytest.fixture(autouse=True)
def unregistered():
    """No own part after a test."""
    yield
    register(CustomCode())


@pytest.fixture
def task(tmp_path):
    register_net(tmp_path)
    return make_task(prepare_data("digits"), ("convnet", MODEL), False)


def draws(task, space=default_space, pins=None, count=24):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(count):
        trial = study.ask()
        yield trial, draw_config(space, trial, task, dict(pins or {}))


def test_the_default_space_searches_own_hyperparameters_of_own_models_alone(task):
    seen = {MODEL: set(), "convnet": set()}
    for trial, config in draws(task):
        seen[config.model] |= trial.params.keys()
        assert set(config.custom) == (OWN if config.model == MODEL else set())
        assert hash(config)
        assert TrialConfig.model_validate_json(config.model_dump_json()) == config
        assert {name: trial.params[name] for name in config.custom} == config.custom
    assert OWN | {"lr", "optimizer", "batch_size", "flip", "weight_decay"} <= seen[MODEL]
    assert not seen[MODEL] & {"width", "depth", "activation", "whiten", "dropout"}
    assert not seen["convnet"] & OWN


def test_its_first_trial_has_its_defaults_and_is_of_its_own_family(task):
    start = next(values for values in default_trials(task, {}) if values["model"] == MODEL)
    assert {name: start[name] for name in OWN} == {"heads": 2, "blocks": 2, "ratio": 0.5}
    assert not start.keys() & {"width", "dropout"}
    families = enumerate_families(default_space, task, make_spec(name="x"))
    assert {str(choice.family) for choice in families} == {"convnet", MODEL}
    assert learning_kind(TrialConfig(model=MODEL)) == "scratch"


def test_a_space_suggests_them_by_name(task):
    def space(trial, task):
        model = trial.suggest_categorical("model", list(task.models))
        return {"model": model, "heads": trial.suggest_categorical("heads", [2, 16]), "lr": 0.01}

    found = {config.model: config.custom for _, config in draws(task, space)}
    assert found["convnet"] == {}, "they mean nothing to another model"
    assert found[MODEL].keys() == OWN, "what it leaves out has its default"
    with pytest.raises(UserError, match="no such hyperparameter; did you mean 'heads'"):
        list(draws(task, lambda _trial, _task: {"model": MODEL, "head": 2}))


def test_a_space_that_suggests_one_and_does_not_return_it_is_refused(task, monkeypatch):
    def space(trial, _task):
        trial.suggest_categorical("heads", [2, 4])
        return {"model": MODEL}

    monkeypatch.setattr("searchspace.preparation.preflight.load_space", lambda _reference: space)
    with pytest.raises(UserError, match=r"suggests 'heads' and does not return it, .* would have heads 2; return it"):
        check_space(make_spec(name="x", space="a:b"), task)


def test_a_pin_holds_them_and_is_typed(tmp_path):
    models = ("convnet", write_net(tmp_path))
    spec = with_own_code(make_spec(name="x", models=models, pins=["heads=4", "ratio=0.25", "lr=0.01"]))
    assert spec.models == ("convnet", MODEL)
    assert spec.pins == {"heads": 4, "ratio": 0.25, "lr": 0.01}
    task = make_task(prepare_data("digits"), spec.models, False)
    own = [config for _, config in draws(task, pins=spec.pins) if config.model == MODEL]
    assert {(config.custom["heads"], config.custom["ratio"]) for config in own} == {(4, 0.25)}
    check_space(spec, task)


@pytest.mark.parametrize(
    ("pins", "said"),
    [
        (["heads=3"], "--set heads=3: is none of 2, 4"),
        (["blocks=x"], "--set blocks=x: is no whole number"),
        (["head=2"], "--set 'head': no such hyperparameter"),
        (["dropout=0.1"], "have no dropout"),
        (["width=8"], "have no width"),
    ],
)
def test_a_wrong_pin_is_one_line(tmp_path, pins, said):
    with pytest.raises(UserError, match=said.replace("have no", "has no")):
        check_early(with_own_code(make_spec(name="x", models=(write_net(tmp_path),), pins=pins)))


def test_an_own_model_is_named_by_its_file():
    with pytest.raises(UserError, match=r"--models 'custom/a.b': its code is not here; name its file"):
        check_early(make_spec(name="x", models=("custom/a.b",)))


def test_costs_are_kept_by_code_and_own_hyperparameters(task, tmp_path):
    config = TrialConfig(model=MODEL, custom={"heads": 4, "blocks": 1, "ratio": 0.5}, lr=0.5)
    architecture = architecture_of(config, task.data)
    assert architecture.config.custom == config.custom
    assert architecture.config.lr == TrialConfig().lr
    assert describe_network(config) == f"{MODEL}, heads=4, blocks=1, ratio=0.5"
    first = cache_file(architecture, "run")
    register_net(tmp_path, NET.replace("nn.ReLU", "nn.GELU"))
    assert cache_file(architecture, "run") != first


def test_earlier_checkpoints_stay_valid(tmp_path):
    config = TrialConfig()
    task = Assignment(trial="t", kind="search", config=config, seed=1, max_epochs=3, folder=str(tmp_path))
    own = task.model_copy(update={"config": config.model_copy(update={"custom": {"heads": 4}})})
    none = task.model_copy(update={"config": TrialConfig.model_validate(config.model_dump() | {"custom": {}})})
    assert assignment_digest(none) == assignment_digest(task)
    assert assignment_digest(own) != assignment_digest(task)


def test_what_another_search_knew_is_tried_by_name(task):
    known = TrialConfig(model=MODEL, custom={"heads": 4, "blocks": 3, "ratio": 0.7}).hyperparameters
    found = transfer_configs([known], lambda trial: draw_config(default_space, trial, task, {}))
    (values,) = found.values
    assert {name: values[name] for name in OWN} == {"heads": 4, "blocks": 3, "ratio": 0.7}
