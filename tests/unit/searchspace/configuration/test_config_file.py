"""A file of options: every option by name, values as they stand there, and one line for what is wrong."""

from pathlib import Path

import pytest

from searchspace.configuration.config_file import file_options, key_of, read_config
from searchspace.configuration.effective_options import effective_options, join_pins
from searchspace.spec import make_spec
from trainables.common.errors import UserError


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a file of options in the working folder; returns its name."""
    monkeypatch.chdir(tmp_path)

    def write(text, name="search.yaml"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)
        return name

    return write


def spec_of(place, **typed):
    """The specification that the file and what is typed make."""
    effective = effective_options(typed.keys(), {"config": place} | typed)
    with effective.explaining_errors():
        return make_spec(**{name: value for name, value in effective.values.items() if name != "config"})


def test_options_have_their_name_on_the_command_line_in_either_writing(write):
    spec = spec_of(write("data: photos\nmax-epochs: 5\nmax_params: 7\nset: {lr: 0.01, width: 8}"))
    assert (spec.data, spec.max_epochs, spec.max_params, spec.pins) == ("photos", 5, 7, {"lr": 0.01, "width": 8})
    assert key_of("pins") == "set"
    assert {"data", "trials", "verbose", "dry_run"} <= file_options().keys()
    assert not {"resume", "revive", "config", "like", "study"} & file_options().keys()


def test_what_yaml_would_make_something_else_stays_as_it_is_written(write):
    spec = spec_of(write("name: no\nseed: 010\nset:\n  lr: 1e-3"))
    assert (spec.name, spec.seed, spec.pins) == ("no", 10, {"lr": 1e-3})
    assert spec_of(write("name: 2026-01-01\nreproducible: yes\ndistil: off")).name == "2026-01-01"
    assert read_config(write("distil: off\nverbose: true")).values == {"distil": False, "verbose": True}


def test_an_empty_value_leaves_the_default(write):
    assert read_config(write("trials:\nmodels: null\nmax_params: ~\n")).values == {}
    assert read_config(write("# nothing\n")).values == {}


def test_lists_are_written_either_way(write):
    assert spec_of(write("models: convnet,resnet")).models == spec_of(write("models: [convnet, resnet]")).models
    assert spec_of(write("set: [lr=0.1]")).pins == spec_of(write("set:\n  lr: 0.1")).pins


def test_what_is_typed_wins_and_pins_are_joined(write):
    place = write("trials: 0\nset: {lr: 0.1, width: 8}")
    spec = spec_of(place, trials="5", pins=["lr=0.2"])
    assert (spec.trials, spec.pins) == (5, {"lr": 0.2, "width": 8})
    assert join_pins({"lr": 1, "width": 2}, ["lr=3"], None) == ["width=2", "lr=3"]


def test_relative_paths_start_from_the_files_folder(write, tmp_path):
    text = (
        "data: photos\nroot: ../scans\nresults: out\nspace: my_space.py:space\nwarm_start: [a, b]\n"
        "storage: sqlite:///studies.db\nmodels: [convnet, net.py:build]\n"
    )
    values = read_config(write(text, "plans/search.yaml")).values
    assert values == {
        "data": "plans/photos", "root": "scans", "results": "plans/out", "space": "plans/my_space.py:space",
        "warm_start": ["plans/a", "plans/b"], "storage": f"sqlite:///{tmp_path}/plans/studies.db",
        "models": ["convnet", "plans/net.py:build"],
    }  # fmt: skip
    named = read_config(write("data: digits\nresults: s3://bucket/results\n", "plans/named.yaml")).values
    assert named == {"data": "digits", "results": "s3://bucket/results"}
    assert read_config(write("data: /photos", "plans/search.yaml")).values == {"data": "/photos"}
    assert read_config(write("data: photos")).values == {"data": "photos"}


WRONG = {
    "trails: 3": "search.yaml: 'trails': no such option; --print-config lists them; did you mean 'trials'?",
    "max-epoch: 3": "search.yaml: 'max-epoch': no such option; --print-config lists them; did you mean 'max-epochs'?",
    "trials: 3\ntrials: 4": "search.yaml: line 2: 'trials' is there twice",
    "max-epochs: 3\nmax_epochs: 4": "search.yaml: 'max_epochs': is there twice; give each option once",
    "set: {lr: 1, lr: 2}": "search.yaml: line 1: 'lr' is there twice",
    "sampler: off": "search.yaml: sampler 'off': not one of auto, tpe, gp, cmaes, random",
    "trials: [1, 2]": "search.yaml: trials: ['1', '2']: expected one value",
    "models: {a: b}": "search.yaml: models: {'a': 'b'}: expected one value, or a list of them",
    "set: {lrr: 0.1}": "search.yaml: set 'lrr': no such hyperparameter",
    "set: {lr: [1]}": "search.yaml: set: {'lr': ['1']}: expected name: value pairs",
    "reproducible: maybe": "search.yaml: reproducible: 'maybe': expected true or false",
    "budget: 90": "search.yaml: budget 90: needs a unit: 90s, 90m or 90h",
    "metric: accurcy": "did you mean 'accuracy'?",
    "resume: x": "search.yaml: 'resume': is no option of a file; give it on the command line",
    "trials: 0": "search.yaml: trials 0: expected a whole number from 1 to 1000000 (default: 64)",
    "grace_epochs: 9\nmax_epochs: 2": "search.yaml: grace-epochs 9: is more than --max-epochs 2",
    "name: a b": "search.yaml: name 'a b': only letters",
    "a: b: c": "search.yaml: line 1: mapping values are not allowed here",
    "- a": "search.yaml: expected options, one a line",
    "trials: &a [*a]": "search.yaml: trials: [[...]]: expected one value",
    "? {a: b}\n: 1": "search.yaml: line 1: found unhashable key",
    "!!python/name:os.system x: y": "search.yaml: line 1: could not determine a constructor",
}


@pytest.mark.parametrize("text", WRONG)
def test_an_error_names_the_file_the_key_and_the_value(write, text):
    with pytest.raises(UserError) as refused:
        spec_of(write(text))
    assert WRONG[text] in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_error_about_what_was_typed_names_no_file(write):
    with pytest.raises(UserError, match=r"^--trials -5: expected"):
        spec_of(write("trials: 7"), trials="-5")


def test_a_file_that_cannot_be_read_is_named(write, tmp_path):
    (tmp_path / "large.yaml").write_text("#" * 1_000_001)
    for place, said in (("none.yaml", "No such file"), (".", "Is a directory"), ("large.yaml", "is larger than")):
        write("")
        with pytest.raises(UserError, match=said):
            read_config(place)


def test_a_resumed_search_takes_no_options_from_elsewhere():
    with pytest.raises(UserError, match=r"--config 'a.yaml': is for a new search"):
        effective_options({"config", "resume"}, {"config": "a.yaml", "resume": "x"})
