"""The specification and the texts it is made from."""

import pytest

from searchspace.budget.presets import PRESETS
from searchspace.sampling.pins import parse_pins
from searchspace.spec import load_spec, make_spec, save_record
from trainables.common.errors import UserError


def test_pins_are_typed():
    pins = parse_pins(["lr=0.02", "width=48", "batch_norm=false", "model=resnet", "freeze=all"])
    assert pins == {"lr": 0.02, "width": 48, "batch_norm": False, "model": "resnet", "freeze": "all"}
    assert isinstance(pins["width"], int)


@pytest.mark.parametrize(
    ("setting", "parts"),
    [
        ("lr", ["'lr'", "name=value"]),
        ("learning_rate=0.1", ["'learning_rate'", "lr", "weight_decay"]),
        ("lr=-1", ["lr=-1", "a number above 0 and of at most 10"]),
        ("dropout=0.95", ["dropout=0.95", "a number from 0 to 0.9"]),
        ("width=wide", ["width=wide", "a whole number from 4 to 1024"]),
        ("flip=true", ["flip=true", "not one of none, random, alternating"]),
        ("optimizer=lion", ["optimizer=lion", "not one of sgd, adamw, muon"]),
    ],
)
def test_wrong_pins_name_thing_value_and_what_is_allowed(setting, parts):
    with pytest.raises(UserError) as error:
        parse_pins([setting])
    assert all(part in str(error.value) for part in parts), error.value
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("1.5m", 90), ("90 min", 5400), ("2h", 7200), ("1d", 86400), ("1h30m", 5400), ("", 0)],
)
def test_durations(text, seconds):
    assert make_spec(time_budget=text).time_budget == seconds


@pytest.mark.parametrize("text", ["soon", "-3s", "0", "0s", "3 weeks", "h", "1h soon", "inf", "nan"])
def test_wrong_durations(text):
    with pytest.raises(UserError, match="--time-budget"):
        make_spec(time_budget=text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trials": 0}, "--trials 0: expected a whole number from 1 to 1000000"),
        ({"reduction_factor": 1}, "--reduction-factor 1"),
        ({"grace_epochs": 30}, "--grace-epochs 30: is more than --max-epochs 18"),
        ({"name": "../x"}, "--name '../x'"),
        ({"gpus_per_worker": -1.0}, "--gpus-per-worker -1.0"),
        ({"memory_gb": -1.0}, "--memory-gb -1.0: expected a number of at least 0"),
        ({"memory_gb": float("inf")}, "--memory-gb inf: .*finite"),
        ({"formats": "onnx,onn"}, "'onn' is not one of pt2, .*did you mean 'onnx'"),
        ({"distil": True}, "--distil: nothing limits the student; give --max-latency-ms, .*or --max-memory-mb"),
        ({"distil_epochs": 9}, "--distil-epochs 9: is for a student; give --distil too"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(UserError, match=message):
        make_spec(**{"name": "x"} | options)


def test_formats_are_a_list_in_one_word():
    assert make_spec(name="x", formats="onnx,onnx-int8").formats == ("onnx", "onnx-int8")
    assert make_spec(name="x", formats="onnx").formats == ("onnx",)


def test_with_a_student_its_limits_bind_the_student_alone():
    spec = make_spec(name="x", distil=True, max_params=5, max_size_mb=0.5)
    assert spec.limits == {"max_params": 5, "max_size_mb": 0.5}
    assert spec.for_winner.limits == {}
    assert spec.student_epochs == spec.max_epochs
    alone = make_spec(name="x", max_params=5)
    assert alone.for_winner == alone
    assert alone.student_epochs == 0


def test_specification_survives_its_record(tmp_path):
    spec = make_spec(name="x", results=str(tmp_path), pins={"lr": 0.1}, models=("convnet",), gpus_per_worker=0.25)
    spec.folder.mkdir()
    save_record(spec.folder, spec, {"versions": {}})
    assert load_spec(spec.folder) == spec


def test_a_folder_without_a_search_is_named(tmp_path):
    with pytest.raises(UserError, match=r"search\.json"):
        load_spec(tmp_path)


def test_patience_is_of_budgets_and_of_searches_that_may_end_early(tmp_path):
    budget = {"budget": "10m"}
    assert make_spec().patience == 0
    assert make_spec(**budget).patience == PRESETS["balanced"].patience
    assert make_spec(**budget, preset="best").patience == PRESETS["best"].patience
    assert make_spec(**budget, patience=0).patience == make_spec(**budget, reproducible=True).patience == 0
    for other in ({"reproducible": True}, {"objectives": ["accuracy", "latency"]}):
        with pytest.raises(UserError, match=r"^--patience 8: .*; leave one of them out$"):
            make_spec(patience=8, **other)
    spec = make_spec(**budget, name="s", results=str(tmp_path))
    record = spec.model_dump(mode="json")
    del record["patience"]
    (tmp_path / "s").mkdir()
    save_record(tmp_path / "s", spec, {"spec": record})
    assert load_spec(tmp_path / "s").patience == 0, "a record of a version without it"


def test_no_record_names_the_ray_of_the_program_that_started_the_search(monkeypatch):
    monkeypatch.setenv("SEARCHSPACE_HOST_RAY", "127.0.0.1:6379")
    spec = make_spec(name="x", address="127.0.0.1:6379")
    assert spec.address == "127.0.0.1:6379"
    assert spec.model_dump()["address"] == ""
    assert make_spec(name="x", address="10.0.0.5:6379").model_dump()["address"] == "10.0.0.5:6379"
