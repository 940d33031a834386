"""Options that need no data are checked before any is downloaded or decoded, and none silently means another thing."""

import itertools
import sqlite3
import sys
from pathlib import Path

import pytest

from searchspace.cli.command import run_command
from searchspace.cli.options import flag_of
from searchspace.preparation.absolute_paths import sqlite_file, with_absolute_file, with_absolute_paths
from searchspace.preparation.early_checks import check_early
from searchspace.replay import settings_for
from searchspace.run import main
from searchspace.sampling.samplers import make_sampler, make_view
from searchspace.spec import SearchSpec, make_spec, save_record
from searchspace.stopping.rules import SCHEDULERS, make_rule
from searchspace.stopping.rung import Observation, rungs
from searchspace.study.database import STORAGE_VARIABLE
from searchspace.study.study import create_study, load_study, write_study_attribute
from searchspace.study.study_state import SEARCH_ID
from trainables.common.errors import UserError
from trainables.config import TrialConfig
from trainables.data.store import store


@pytest.fixture
def no_data(monkeypatch):
    """Fails a test that looks at data."""

    def refuse(*_arguments, **_options):
        raise AssertionError("data was opened before the options were checked")

    monkeypatch.setattr(store, "open_source", refuse)
    monkeypatch.setattr("trainables.data.store.store.prepare_data", refuse)


SPACES = """
def space(trial, task): return {}
def narrow(trial): return {}
"""
WRONG = {
    "space without a file": (["--space", "none.py:space"], ["none.py", "FILE.py:FUNCTION"]),
    "space without a function": (["--space", "mine.py:spaces"], ["did you mean 'space'"]),
    "space of one argument": (["--space", "mine.py:narrow"], ["(trial)", "(trial, task)"]),
    "unknown model": (["--models", "convnets"], ["did you mean 'convnet'"]),
    "pinned model that does not exist": (["--set", "model=convnets"], ["did you mean 'convnet'"]),
    "model twice": (["--models", "convnet,convnet"], ["--models", "'convnet' is given twice"]),
    "model twice with a space": (["--models", "convnet, convnet"], ["'convnet' is given twice"]),
    "model in two options": (["--models", "convnet", "--models", "convnet"], ["'convnet' is given twice"]),
    "no model": (["--models", ","], ["--models ','", "names nothing"]),
    "format twice": (["--formats", "onnx,onnx"], ["'onnx' is given twice"]),
    "objective twice": (["--objectives", "accuracy,accuracy"], ["'accuracy' is given twice"]),
    "unknown format": (["--formats", "onx"], ["did you mean 'onnx'"]),
    "warm start twice": (["--warm-start", "a,a"], ["'a' is given twice"]),
    "warm start that is no search": (["--warm-start", "nowhere"], ["nowhere", "holds no search"]),
    "pin twice": (["--set", "lr=0.1", "--set", "lr=0.2"], ["lr is pinned twice"]),
    "pinned model beside others": (["--models", "resnet", "--set", "model=convnet"], ["not one of --models resnet"]),
    "pin of nobody": (["--models", "convnet", "--set", "head_lr=0.1"], ["convnet has no head_lr"]),
    "bare time": (["--time-budget", "10"], ["10s, 10m or 10h"]),
    "bare budget": (["--budget", "10"], ["--budget 10", "10s, 10m or 10h"]),
    "budget of nothing": (["--budget", "$0"], ["--budget '$0'", "more than 0"]),
    "budget of another kind": (["--budget", "3 weeks"], ["--budget '3 weeks'", "10m", "$20", "8gpuh"]),
    "dollars without a price": (["--budget", "$20"], ["--budget $20", "--price-per-hour"]),
    "GPU-hours without a GPU": (["--budget", "8 gpu-hours"], ["--budget 8gpuh", "no GPU"]),
    "percentage for a share": (["--audit", "5"], ["share", "5 % is 0.05"]),
    "no database folder": (["--storage", "sqlite:///no/such/folder/x.db"], ["no folder", "no/such/folder"]),
    "database in memory": (["--storage", "sqlite://"], ["memory"]),
    "database in memory by name": (["--storage", "sqlite:///:memory:"], ["memory"]),
    "no database": (["--storage", "study.journal"], ["--storage 'study.journal'"]),
    "database that is out of reach": (["--storage", "postgresql://me@127.0.0.1:1/x"], ["--storage", "refused"]),
    "database that is none": (["--storage", "sqlite:///mine.py"], ["--storage", "mine.py"]),
    "results that are a file": (["--results", "mine.py"], ["--results '", "/mine.py' is a file"]),
    "results below a file": (["--results", "mine.py/results"], ["/mine.py' is a file"]),
    "rule for one objective": (["--scheduler", "pasha", "--objectives", "accuracy,latency"], ["'pasha'"]),
    "rule for epochs": (["--scheduler", "pasha", "--budget-unit", "seconds"], ["'pasha'"]),
    "a cluster that is out of reach": (["--address", "127.0.0.1:1"], ["--address '127.0.0.1:1'", "no Ray cluster"]),
    "more workers than cores": (["--workers-per-trial", "4096"], ["--workers-per-trial 4096"]),
    "grace longer than trials": (["--grace-epochs", "2", "--max-epochs", "1"], ["--grace-epochs 2", "--max-epochs 1"]),
    "a dry run of a resumed search": (["--dry-run", "--resume", "x"], ["--dry-run", "--resume"]),
    "more trials for one revived": (["--revive", "1", "--resume", "x", "--trials", "9"], ["--trials", "--revive"]),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_needs_no_data_is_refused_before_any_is_opened(case, tmp_path, monkeypatch, capsys, no_data):
    arguments, parts = WRONG[case]
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(SPACES)
    monkeypatch.setattr(sys, "argv", ["run", "--data", "cifar10", *arguments])
    with pytest.raises(SystemExit) as stopped:
        run_command(main)
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert stopped.value.code == 2
    assert line.startswith("error: ")
    assert [part for part in parts if part not in line] == [], line
    left = {path.name for path in tmp_path.iterdir()} - {"__pycache__", ".ray", ".cache"}
    assert left == {"mine.py"}, "nothing was begun, and no database made"


@pytest.mark.parametrize("epochs", [1, 2, 3, 18, 100])
def test_what_follows_from_other_options_follows_and_what_is_given_is_refused(epochs):
    assert make_spec(name="x", max_epochs=epochs).grace_epochs == min(2, epochs)
    assert make_spec(name="x", max_epochs=str(epochs)).grace_epochs == min(2, epochs)
    with pytest.raises(UserError, match=f"--grace-epochs {epochs + 1}: is more than --max-epochs {epochs}"):
        make_spec(name="x", max_epochs=epochs, grace_epochs=epochs + 1)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("epochs", [1, 2])
def test_trials_without_a_rung_are_searched_by_every_rule(scheduler, epochs):
    spec = make_spec(name="x", max_epochs=epochs, scheduler=scheduler)
    levels = rungs(spec.grace_epochs, spec.reduction_factor, spec.max_epochs)
    rule = make_rule(scheduler, "epochs", levels, spec.reduction_factor)
    assert levels == ()
    for number in range(9):
        for epoch in range(1, epochs + 1):
            assert rule.report(Observation(trial=number, epoch=epoch, value=number / 9)), "nobody waits"
    rule.drain()
    assert rule.promote() is None
    assert settings_for(spec)[0].grace_epochs == min(2, epochs)
    assert make_view(spec, True, [], 1)([], 0) == []


LISTS = [name for name, field in SearchSpec.model_fields.items() if isinstance(field.get_default(), tuple)]


@pytest.mark.parametrize("name", LISTS)
def test_every_list_refuses_what_is_given_twice(name):
    word = {"formats": "onnx", "objectives": "accuracy"}.get(name, "a")
    for given in (f"{word},{word}", f" {word} , {word}", [word, word], [f"{word},{word}"]):
        with pytest.raises(UserError) as error:
            make_spec(name="x", **{name: given})
        assert flag_of(SearchSpec, name) in str(error.value)
        assert f"{word!r} is given twice" in str(error.value)
    assert {"models", "formats", "objectives", "warm_start"} <= set(LISTS)


def test_a_list_is_what_all_its_options_name_together():
    assert make_spec(name="x", models=["convnet", "resnet,resnet18"]).models == ("convnet", "resnet", "resnet18")
    assert make_spec(name="x", models="convnet, resnet,").models == ("convnet", "resnet")
    assert make_spec(name="x", models="").models == ()


OF_ALL = {
    "dropout", "optimizer", "momentum", "weight_decay", "batch_size", "mixup", "tta", "balance", "input_size", "fit",
    "warmup", "label_smoothing", "cutmix", "augment_strength", "flip", "translate", "crop_scale", "grad_clip",
}  # fmt: skip
OF_SOME = {
    "lr": ("convnet", "resnet"), "width": ("convnet", "resnet"), "depth": ("convnet", "resnet"),
    "activation": ("convnet", "resnet"), "batch_norm": ("convnet",), "whiten": ("convnet",),
    "freeze": ("tf_efficientnet_lite0",), "head_lr": ("tf_efficientnet_lite0",),
    "backbone_lr": ("tf_efficientnet_lite0",), "head_solver": ("tf_efficientnet_lite0",),
    "head_init": ("tf_efficientnet_lite0",), "cached_views": ("tf_efficientnet_lite0",),
}  # fmt: skip
MODELS = ("convnet", "resnet", "tf_efficientnet_lite0")


@pytest.mark.parametrize(
    ("name", "models"), list(itertools.product([*OF_SOME, *sorted(OF_ALL)], [("convnet",), MODELS[1:]]))
)
def test_a_pin_that_would_change_nothing_is_refused(name, models):
    means_something = name in OF_ALL or bool(set(OF_SOME[name]) & set(models))
    spec = make_spec(name="x", models=models, pins={name: getattr(TrialConfig(), name)})
    if means_something:
        check_early(spec)
    else:
        with pytest.raises(UserError, match=f"--set {name}=.* no {name}"):
            check_early(spec)


def test_it_is_known_of_every_hyperparameter_which_models_have_it():
    assert OF_ALL | {*OF_SOME, "model"} == set(TrialConfig().hyperparameters)


def test_what_may_be_meant_otherwise_is_said(logged):
    check_early(make_spec(name="x"))
    assert not logged
    check_early(make_spec(name="x", max_drop=0.003))
    line = logged.pop()
    assert "--max-drop 0.003: is in points" in line
    assert "--max-drop 0.3" in line
    check_early(make_spec(name="x", memory_gb=4_000_000))
    (line,) = logged
    assert line.startswith("warning: --memory-gb ")
    assert "4e+06 MB is --memory-gb 4000" in line


def test_places_are_kept_so_that_they_are_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    spec = with_absolute_paths(make_spec(name="x", data="a/b", space="../mine.py:space", warm_start=("c", "s3://d/e")))
    assert spec.data == f"{tmp_path}/a/b"
    assert spec.data_name == "b"
    assert spec.space == f"{tmp_path.parent}/mine.py:space"
    assert spec.warm_start == (f"{tmp_path}/c", "s3://d/e")
    assert with_absolute_paths(make_spec(name="x", data="~/b")).data == f"{tmp_path}/home/b"
    assert with_absolute_paths(make_spec(name="x", data="l.csv", root="img")).root == f"{tmp_path}/img"
    assert with_absolute_paths(make_spec(name="x", data="l.csv", root="s3://b/img")).root == "s3://b/img"
    for known in ("digits", "cifar10", "s3://bucket/images"):
        assert with_absolute_paths(make_spec(name="x", data=known)).data == known
    assert with_absolute_paths(spec) == spec


URLS = {
    "sqlite:///x.db": "sqlite:///{here}/x.db",
    "sqlite:///a/../x.db?timeout=9": "sqlite:///{here}/x.db?timeout=9",
    "sqlite+pysqlite:///x.db": "sqlite+pysqlite:///{here}/x.db",
    "sqlite:////abs/x.db": "sqlite:////abs/x.db",
    "sqlite://": "sqlite://",
    "sqlite:///:memory:": "sqlite:///:memory:",
    "sqlite:///file::memory:?cache=shared&uri=true": "sqlite:///file::memory:?cache=shared&uri=true",
    "sqlite:///file:m?mode=memory&uri=true": "sqlite:///file:m?mode=memory&uri=true",
    "sqlite:///file:x.db?uri=true": "sqlite:///file:{here}/x.db?uri=true",
    "sqlite:///file:/abs/x.db?uri=true&token=t": "sqlite:///file:/abs/x.db?uri=true&token=t",
    "postgresql://me:***@host/db": "postgresql://me:***@host/db",
    "": "",
}


@pytest.mark.parametrize("url", URLS)
def test_a_sqlite_file_is_found_from_anywhere(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert with_absolute_file(url) == URLS[url].format(here=tmp_path)
    assert (sqlite_file(url) is None) == (URLS[url] == url and "abs" not in url)


def test_reading_never_makes_a_database_and_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = with_absolute_paths(make_spec(name="x", results=str(tmp_path / "results"), storage="sqlite:///x.db"))
    check_early(spec)
    assert not Path("x.db").exists()
    write_study_attribute(create_study(spec, make_sampler(spec, "random")), SEARCH_ID, "a search")
    (spec.folder / "trials" / "trial-0").mkdir(parents=True)
    save_record(spec.folder, spec, {})
    monkeypatch.chdir("/")
    with pytest.raises(UserError, match="the record names a database"):
        load_study(spec, spec.folder)
    monkeypatch.setenv(STORAGE_VARIABLE, spec.storage)
    assert load_study(spec, spec.folder).get_trials() == []
    with pytest.raises(UserError, match=r"--name 'x': .*holds a study of this name already"):
        check_early(spec)
    check_early(spec, resumed=True)
    with pytest.raises(UserError, match=r"holds no study 'y', but '.*/x/trials' holds what its trials left"):
        check_early(spec.model_copy(update={"study": "y"}), resumed=True)
    (tmp_path / "x.db").unlink()
    with pytest.raises(UserError, match="there is no file"):
        load_study(spec, spec.folder)
    with pytest.raises(UserError, match="holds no study 'x', but"):
        check_early(spec, resumed=True)
    assert not (tmp_path / "x.db").exists()
    sqlite3.connect(tmp_path / "x.db").execute("create table other (n int)").connection.close()
    with pytest.raises(UserError, match="holds no study 'x'"):
        load_study(spec, spec.folder)
