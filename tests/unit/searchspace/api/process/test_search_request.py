"""What a search's process is started with, and what is refused before one is started."""

import inspect
import os
from pathlib import Path

import pytest

from searchspace.api.process.search_request import in_python_words, request_resumption, request_search
from tests.helpers.search_options_file import FILE, render
from trainables.common.errors import UserError


def test_the_options_of_a_program_are_those_of_the_command():
    assert FILE.read_text() == render(), "write it anew: python -m tests.helpers.search_options_file"


def test_values_become_the_command_line():
    request = request_search(
        "digits",
        {
            "trials": 4, "budget": "1h", "time_budget": 90.5, "models": ("convnet", "mlp"), "distil": False,
            "set": {"lr": 0.1, "depth": 2}, "results": Path("/tmp/here"), "name": "mine", "seed": None, "folds": 2,
            "reproducible": True, "price_per_hour": 2.5,
        },
    )  # fmt: skip
    words = " ".join(request.arguments)
    for expected in (
        "--data digits", "--trials 4", "--budget 1h", "--time-budget 90.5s", "--models convnet,mlp", "--set lr=0.1",
        "--set depth=2", "--results /tmp/here", "--name mine", "--folds 2", "--reproducible", "--price-per-hour 2.5",
    ):  # fmt: skip
        assert expected in words
    assert "--seed" not in words
    assert "--distil" not in words
    assert request.folder == Path("/tmp/here/mine")


def test_a_search_has_a_name_before_its_process_runs():
    request = request_search("digits", {})
    assert request.name.startswith("digits-")
    assert request.arguments[-1] == request.name


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"trials": 0}, "trials=0: expected a whole number from 1"),
        ({"grace_epochs": 9, "max_epochs": 3}, "grace_epochs=9: is more than max_epochs 3"),
        ({"name": "a b"}, "name='a b': only letters"),
        ({"distil": True}, "distil: nothing limits the student; give max_latency_ms, max_params"),
        ({"set": {"lrr": 1}}, "set='lrr': no such hyperparameter"),
        ({"set": {"lr": "x"}}, "set=lr=x: expected a number"),
        ({"budget": "5"}, "budget=5: needs a unit"),
        ({"budget": -1}, "budget='-1s': expected a time"),
        ({"metric": "f1"}, "metric='f1': not one of"),
        ({"trial": 3}, "trial: no such option; did you mean 'trials'?"),
        ({"verbose": True}, "verbose: no such option; there are "),
        ({"models": 3}, "models=3: expected"),
    ],
)
def test_a_value_that_cannot_be_is_refused_in_words_of_python(options, said):
    with pytest.raises(UserError) as caught:
        request_search("digits", options)
    assert str(caught.value).startswith(said)


def test_a_password_is_on_no_command_line():
    url = "postgresql://me:very-secret@host/studies"
    for request in (request_search("digits", {"storage": url}), request_resumption("/tmp/x", {"storage": url})):
        assert "very-secret" not in " ".join(request.arguments)
        assert request.environment["SEARCHSPACE_STORAGE"] == url
        assert "very-secret" not in repr(request)


def test_the_process_finds_this_package_and_draws_into_no_notebook(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere/else")
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    before = dict(os.environ)
    environment = request_search("digits", {}).environment
    root = Path(inspect.getfile(request_search)).parents[3]
    assert environment["PYTHONPATH"].split(os.pathsep) == [str(root), "/somewhere/else"]
    assert "MPLBACKEND" not in environment
    assert dict(os.environ) == before


def test_a_resumption_names_its_search_and_may_change_some_options(tmp_path):
    request = request_resumption(str(tmp_path / "mine"), {"trials": 96})
    assert request.arguments == ["--resume", str(tmp_path / "mine"), "--trials", "96"]
    assert request.name == "mine"
    with pytest.raises(UserError, match="metric: no such option"):
        request_resumption(str(tmp_path), {"metric": "accuracy"})


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("--data 'a b': there is none", "data='a b': there is none"),
        ("give --label-column too", "give label_column too"),
        ("--set lr=3: out of range", "set=lr=3: out of range"),
        (
            "--name 'x': is taken; resume with: searchspace run --resume x",
            "name='x': is taken; resume with: searchspace run --resume x",
        ),
        ("--trialsome 3: is no option", "--trialsome 3: is no option"),
    ],
)
def test_words_of_the_command_line_become_those_of_python(said, meant):
    assert str(in_python_words(UserError(said))) == meant
