"""Warm starts between spaces that differ: no pair of them ends a search, and what agrees is used."""

import random

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from searchspace.constraints.constraints import ConstraintChecker
from searchspace.engine.suggest import ConfigSuggester
from searchspace.sampling.samplers import make_sampler
from searchspace.sampling.transfer import fit_value, transfer_configs, transfer_trials
from searchspace.sampling.warm_start import choose_warm_start, read_earlier_trials
from searchspace.spaces import Task, default_space, draw_config
from searchspace.spec import make_spec, save_record
from searchspace.study.study import create_study, flush_study
from searchspace.study.study_snapshot import read_study
from searchspace.study.trial_attributes import read_config, record_pace, record_report
from trainables.config import EpochReport, TrialConfig
from trainables.data.store.store import prepare_data

LITE0 = "tf_efficientnet_lite0"
NETWORKS = ("convnet", LITE0)


def numbers(trial, _task):
    return {"lr": trial.suggest_float("lr", 1e-4, 1.0, log=True), "dropout": trial.suggest_float("dropout", 0, 0.5)}


def other_numbers(trial, _task):
    return {"lr": trial.suggest_float("lr", 0.01, 0.1), "dropout": trial.suggest_float("dropout", 0, 0.5)}


def exponents(trial, _task):
    batch = 2 ** trial.suggest_int("batch_size", 4, 8)
    lr, optimizer = trial.suggest_categorical("recipe", [(1e-3, "adamw"), (1e-2, "sgd")])
    return {"batch_size": batch, "optimizer": optimizer, "lr": lr, "width": trial.suggest_int("width", 8, 64, step=8)}


def choices(trial, _task):
    lr, dropout = trial.suggest_categorical("lr", [1e-3, 0.1]), trial.suggest_categorical("dropout", [0.0])
    return {"lr": lr, "dropout": dropout, "width": trial.suggest_int("width", 8, 64)}


def branches(trial, _task):
    values = {"lr": trial.suggest_float("lr", 1e-4, 1.0, log=True), "batch_size": trial.suggest_int("batch_size", 2, 3)}
    return values | ({"momentum": trial.suggest_float("momentum", 0.5, 0.97)} if values["batch_size"] == 2 else {})


def impossible(trial, task):
    values = numbers(trial, task)
    if values["dropout"] > 0.25:
        raise optuna.TrialPruned
    return values


DIGITS = prepare_data("digits")
MANY = DIGITS.model_copy(update={"train": 20_000})
FEWER = DIGITS.model_copy(update={"train": 600})
UNBALANCED = DIGITS.model_copy(update={"counts": (10, *DIGITS.counts[1:]), "channels": 3})
SEARCHES = {
    "cpu": (default_space, {}, {"head_solver": "gradient"}),
    "gpu": (default_space, {"gpu": True, "models": (*NETWORKS, "resnet"), "data": MANY}, {"head_solver": "gradient"}),
    "pinned": (default_space, {"data": UNBALANCED}, {"model": "convnet", "optimizer": "sgd", "batch_size": 64}),
    "pinned otherwise": (default_space, {"gpu": True}, {"lr": 0.02, "width": 24, "dropout": 0.9}),
    **{
        space.__name__: (space, {"models": ("convnet",)}, {})
        for space in (numbers, other_numbers, exponents, choices, branches, impossible)
    },
}  # fmt: skip
"""Space, what its task differs in, and pins."""
MODELLED = (("cpu", "gpu"), ("branches", "branches"), ("numbers", "other_numbers"), ("exponents", "numbers"))
"""Earlier and new searches that the slower samplers are tried on."""
FINGERPRINT = {"fingerprint": "one"}


def open_search(name: str, results, **options):
    """Specification and means of drawing of a search of that name."""
    space, changes, pins = SEARCHES[name]
    task = Task(**{"data": MANY, "models": NETWORKS, "pretrained": frozenset({LITE0}), "gpu": False, **changes})
    spec = make_spec(name=name.replace(" ", "-"), results=str(results), max_epochs=3, trials=99, **options)
    spec = spec.model_copy(update={"pins": pins})
    return spec, space, task, lambda trial: draw_config(space, trial, task, pins)


def train(study: optuna.Study, name: str, results, count: int) -> list:
    """Configurations of as many trials, whose scores are drawn."""
    spec, space, task, _ = open_search(name, results)
    suggester, rng = ConfigSuggester(study, space, task, spec, ConstraintChecker(spec, MANY)), random.Random(0)
    found = []
    for order in range(count):
        running = suggester.next_trial()
        found.append(running.assignment.config)
        report = EpochReport(trial="t", epoch=3, score=rng.random(), status="complete")
        record_report(running.trial, order, report)
        record_pace(running.trial, report)
        study.tell(running.trial, report.score)
    return found


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """Where searches of 12 trials each are."""
    results = tmp_path_factory.mktemp("earlier")
    for name in SEARCHES:
        spec, *_ = open_search(name, results)
        study = create_study(spec, make_sampler(spec, "random"))
        train(study, name, results, 12)
        flush_study(study)
        save_record(spec.folder, spec, {"data": FINGERPRINT})
    return results


def warm_started(old: str, new: str, earlier, sampler: str) -> tuple[optuna.Study, list]:
    """A study that begins with an earlier search, and the earlier trials that its sampler sees."""
    spec, _, _, draw = open_search(new, earlier, warm_start=str(earlier / old.replace(" ", "-")))
    seen = read_earlier_trials(spec, MANY.model_copy(update=FINGERPRINT), draw, sampler)
    study = optuna.create_study(direction="maximize", sampler=make_sampler(spec, sampler, seen))
    for values in choose_warm_start(spec, draw):
        study.enqueue_trial(values)
    return study, seen


@pytest.mark.parametrize("new", SEARCHES)
@pytest.mark.parametrize("old", SEARCHES)
def test_no_earlier_search_ends_one_of_another_space(earlier, old, new):
    study, _ = warm_started(old, new, earlier, "tpe")
    assert len(train(study, new, earlier, 5)) == 5


@pytest.mark.parametrize("sampler", ["gp", "cmaes", "random"])
@pytest.mark.parametrize(("old", "new"), MODELLED)
def test_nor_where_other_samplers_model_it(earlier, old, new, sampler):
    study, _ = warm_started(old, new, earlier, sampler)
    assert len(train(study, new, earlier, 4)) == 4


@pytest.mark.parametrize("sampler", ["tpe", "random"])
@pytest.mark.parametrize("old", ["cpu", "choices"])
def test_a_search_goes_on_with_the_choices_that_its_study_and_the_space_share(earlier, monkeypatch, old, sampler):
    _, space, _, _ = open_search("cpu", earlier)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    train(study, "cpu", earlier, 12)
    changes = {"data": FEWER, "models": (LITE0, "convnet", "resnet")}
    monkeypatch.setitem(SEARCHES, "cpu", (space, changes, SEARCHES["cpu"][2]))
    spec, *_, draw = open_search("cpu", earlier, warm_start=str(earlier / old))
    seen = read_earlier_trials(spec, MANY.model_copy(update=FINGERPRINT), draw, sampler)
    study.sampler = make_sampler(spec, sampler, seen)
    found = train(study, "cpu", earlier, 8)
    assert len(found) == 8
    assert {config.batch_size for config in found} <= {32, 64}
    assert {config.model for config in found} == set(NETWORKS)


@pytest.mark.parametrize(("name", "space"), [("cpu", "conditional"), ("numbers", "plain")])
def test_in_the_same_space_a_trial_is_what_it_was(earlier, name, space):
    spec, _, _, _ = open_search(name, earlier)
    recorded = read_study(spec, spec.folder).get_trials()
    _, seen = warm_started(name, name, earlier, "tpe")
    assert [(t.params, t.distributions) for t in seen] == [(t.params, t.distributions) for t in recorded]
    assert [t.number for t in seen] == list(range(-12, 0))


def test_of_another_space_the_sampler_sees_the_values_that_this_one_takes(earlier):
    _, seen = warm_started("cpu", "gpu", earlier, "tpe")
    spec, *_ = open_search("cpu", earlier)
    recorded = read_study(spec, spec.folder).get_trials()
    assert len(seen) == 12
    for trial, old in zip(seen, recorded, strict=True):
        config = read_config(trial)
        assert all(getattr(config, name) == value for name, value in trial.params.items())
        assert ("batch_size" in trial.params) == (old.params["batch_size"] in {128, 256})
        assert ("width" in trial.params) == (old.params.get("width") == 32)
        assert {"lr", "head_lr"} & trial.params.keys()
    choices = {t.distributions["batch_size"].choices for t in seen if "batch_size" in t.params}
    assert choices == {(128, 256, 512, 1024)}
    assert any("batch_size" not in t.params for t in seen)


def test_a_sampler_of_all_parameters_at_once_sees_whole_trials_alone(earlier):
    _, seen = warm_started("cpu", "gpu", earlier, "gp")
    assert {len(t.params) for t in seen} <= {8, 11, 17}, "of backbones, or of networks, whose values both spaces have"
    _, seen = warm_started("numbers", "other_numbers", earlier, "cmaes")
    assert 0 < len(seen) < 12
    assert all(t.params.keys() == {"lr", "dropout"} and 0.01 <= t.params["lr"] <= 0.1 for t in seen)


def test_networks_that_are_not_searched_here_say_nothing(earlier, logged):
    _, seen = warm_started("cpu", "pinned", earlier, "tpe")
    assert {read_config(trial).model for trial in seen} == {"convnet"}
    assert all(trial.params.get("optimizer", "sgd") == "sgd" for trial in seen)
    assert "of networks that are not searched here" in logged[0]
    assert len(logged) == 1


def test_first_trials_keep_what_this_space_takes_and_one_line_says_what_it_does_not(earlier):
    _, _, _, draw = open_search("other_numbers", earlier)
    known = TrialConfig().model_dump()
    found = transfer_configs([known | {"lr": 0.5, "dropout": 0.2}, known | {"lr": 0.05, "dropout": 0.9}], draw)
    assert found.values == [{"lr": 0.1, "dropout": 0.2}, {"lr": 0.05, "dropout": 0.5}]
    assert found.changes == "lr 0.5 set to 0.1, dropout 0.9 set to 0.5"
    _, _, _, draw = open_search("choices", earlier)
    found = transfer_configs([known | {"lr": 0.1, "dropout": 0.2}], draw)
    assert (found.values, found.changes) == ([{"lr": 0.1, "width": 32}], ""), "a parameter of one choice is what it is"
    _, _, _, draw = open_search("gpu", earlier)
    found = transfer_configs([known | {"model": "vgg11_bn"}], draw)
    assert (found.values, found.changes) == ([], "1 of networks that are not searched here")


def test_a_name_that_means_something_else_in_the_other_space_is_not_taken_for_the_same(earlier):
    def widths(trial):
        return TrialConfig(width=2 ** trial.suggest_int("width", 3, 6))

    old = optuna.trial.create_trial(
        value=1.0, params={"width": 5}, distributions={"width": IntDistribution(4, 9)},
        user_attrs={"config": TrialConfig(width=5).model_dump_json()},
    )  # fmt: skip
    assert transfer_trials([old], widths, whole=False) == []


@pytest.mark.parametrize(
    ("value", "distribution", "fits"),
    [
        (1, CategoricalDistribution([True, 1.0]), False), (True, CategoricalDistribution([1, True]), True),
        (None, CategoricalDistribution([None]), True), ("a", FloatDistribution(0, 1), False),
        (1, FloatDistribution(0, 1), True), (2.0, FloatDistribution(0, 1), False),
        (float("nan"), FloatDistribution(0, 1), False), (0.3, FloatDistribution(0, 1, step=0.1), True),
        (0.35, FloatDistribution(0, 1, step=0.1), False), (3.0, IntDistribution(1, 9), True),
        (4, IntDistribution(1, 9, step=2), False), (True, IntDistribution(0, 1), False),
    ],
)  # fmt: skip
def test_a_value_fits_if_the_distribution_has_it(value, distribution, fits):
    if fits:
        assert fit_value(value, distribution) == value
        assert distribution.to_internal_repr(fit_value(value, distribution)) is not None
    else:
        with pytest.raises(ValueError, match="is not of"):
            fit_value(value, distribution)
