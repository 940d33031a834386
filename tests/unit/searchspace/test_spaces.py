"""Search spaces of one's own: what may be in them, what is left out, and what is refused by name before a search."""

import itertools
import json
import random
import sys

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from searchspace.constraints.feasibility import draw_sample
from searchspace.engine.suggest import ConfigSuggester
from searchspace.forecast.probing import draw_probes
from searchspace.preparation.preflight import check_space
from searchspace.reporting.table_formats import to_text
from searchspace.reporting.tables.trials import rank_trials
from searchspace.sampling.sampler_registry import SAMPLERS
from searchspace.sampling.samplers import choose_sampler, make_sampler
from searchspace.sampling.space_file import load_function
from searchspace.spaces import Task
from searchspace.spec import make_spec
from searchspace.study.refusals import describe_refusals, is_refused
from searchspace.study.study import create_study, flush_study, load_study
from trainables.common.errors import UserError


@pytest.fixture
def task(digits) -> Task:
    return Task(data=digits, models=("convnet",), pretrained=frozenset(), gpu=False)


class Open:
    """A gate that lets everything through."""

    def ready(self, _config):
        return True

    def refuse(self, _trial, _config):
        return None


@pytest.fixture
def check(task, monkeypatch):
    """The check before a search, of a function."""

    def run(space, seed=0, **options):
        monkeypatch.setattr("searchspace.preparation.preflight.load_space", lambda _reference: space)
        spec = make_spec(name="s", space="my.py:space", seed=seed, **options)
        return check_space(spec, task)

    return run


def base(trial, **values):
    return {"model": "convnet", "width": 8, "lr": trial.suggest_float("lr", 1e-3, 1e-1, log=True)} | values


# Each takes a trial and asks it for what cannot be searched.
DEFECTS = {
    "two ranges": (lambda t: [t.suggest_float("x", 0, 1), t.suggest_float("x", 0, 2)], ["'x' twice", "0 to 1", "to 2"]),
    "two scales": (lambda t: [t.suggest_float("x", 1, 2), t.suggest_float("x", 1, 2, log=True)], ["'x' twice", "log"]),
    "two steps": (lambda t: [t.suggest_int("x", 1, 9), t.suggest_int("x", 1, 9, step=2)], ["'x' twice", "step=2"]),
    "two kinds": (lambda t: [t.suggest_int("x", 1, 2), t.suggest_float("x", 1, 2)], ["'x' twice", "int", "float"]),
    "two sets": (lambda t: [t.suggest_categorical("x", c) for c in ([1, 2], [1, 2, 3])], ["'x' twice", "[1, 2, 3]"]),
    "a number and choices": (lambda t: [t.suggest_int("x", 1, 2), t.suggest_categorical("x", [1, 2])], ["'x' twice"]),
    "old and new name": (lambda t: [t.suggest_uniform("x", 1, 2), t.suggest_loguniform("x", 1, 2)], ["'x' twice"]),
    "dynamic choices": (lambda t: t.suggest_categorical("x", list(range(2 + t.number % 2))), ["'x'", "in another"]),
    "dynamic kind": (
        lambda t: t.suggest_int("x", 1, 2) if t.number % 2 else t.suggest_float("x", 1, 2), ["'x'", "in another"],
    ),
    "a choice twice": (lambda t: t.suggest_categorical("x", [8, 16, 8]), ["'x'", "choice 8 twice"]),
    "a tuple twice": (lambda t: t.suggest_categorical("x", [(8, 1), (8, 1)]), ["'x'", "(8, 1)", "twice"]),
    "no choices": (lambda t: t.suggest_categorical("x", []), ["'x'", "choices []"]),
    "a choice of no value": (lambda t: t.suggest_categorical("x", [object(), 1]), ["'x'", "object", "are None"]),
    "a function": (lambda t: t.suggest_categorical("x", [max, min]), ["'x'", "builtin_function"]),
    "a set": (lambda t: t.suggest_categorical("x", [{1, 2}, {3}]), ["'x'", "set"]),
    "bounds the wrong way": (lambda t: t.suggest_float("x", 2, 1), ["'x' from 2", "no number"]),
    "an endless range": (lambda t: t.suggest_float("x", 0, float("inf")), ["'x'", "inf"]),
    "no number": (lambda t: t.suggest_float("x", float("nan"), 1), ["'x'", "nan"]),
    "a text": (lambda t: t.suggest_int("x", "few", "many"), ["'x'", "few", "numbers"]),
    "half an int": (lambda t: t.suggest_int("x", 1.5, 3), ["'x'", "1.5", "whole"]),
    "a log of nothing": (lambda t: t.suggest_float("x", 0, 1, log=True), ["'x'", "log"]),
    "log and step": (lambda t: t.suggest_float("x", 1, 2, log=True, step=0.5), ["'x'", "log", "step"]),
}  # fmt: skip


@pytest.mark.parametrize("defect", DEFECTS)
def test_what_cannot_be_searched_is_refused_by_name(check, defect):
    ask, parts = DEFECTS[defect]

    def space(trial, _task):
        ask(trial)
        return base(trial)

    with pytest.raises(UserError) as error:
        check(space)
    assert str(error.value).startswith("--space 'my.py:space': ")
    assert [part for part in parts if part not in str(error.value)] == [], error.value
    assert "\n" not in str(error.value)


GIVEN = {
    "an unknown name": ({"learning_rate": 0.1}, ["'learning_rate'", "no such hyperparameter"]),
    "a value out of range": ({"width": 2}, ["width 2"]),
    "a wrong choice": ({"flip": True}, ["flip True", "none, random, alternating"]),
    "nothing": (None, ["returned None", "dict"]),
    "a list": ([0.1], ["returned [0.1]", "dict"]),
    "another model": ({"model": "resnet"}, ["'resnet'", "--models"]),
}


UNUSED = {
    "a number": lambda t: base(t, width=16) if t.suggest_float("dropout", 0.1, 0.5) else {},
    "in some draws": lambda t: base(t) if t.number % 2 or t.suggest_int("depth", 3, 9) else {},
    "one choice": lambda t: base(t) if t.suggest_categorical("flip", ["random"]) else {},
    "NumPy": lambda t: base(t) if t.suggest_categorical("batch_size", [np.int64(32), np.int64(128)]) else {},
}


@pytest.mark.parametrize("case", UNUSED)
def test_a_suggestion_that_is_not_returned_is_refused_by_name(check, case):
    name = {"a number": "dropout", "in some draws": "depth", "one choice": "flip", "NumPy": "batch_size"}[case]
    with pytest.raises(UserError, match=f"suggests '{name}' and does not return it"):
        check(lambda trial, _task: UNUSED[case](trial))


def test_a_suggestion_that_is_returned_or_that_gives_what_is_returned_is_sound(check):
    def space(trial, _task):
        shape = trial.suggest_categorical("shape", [(8, 2), (16, 3)])
        values = base(trial, width=shape[0], depth=shape[1])
        if trial.suggest_categorical("batch_norm", [True, False]):
            values["batch_norm"] = True
            return values
        return values | {"batch_norm": False, "dropout": trial.suggest_float("dropout", 0, 0)}

    for seed in range(20):
        check(space, seed)


@pytest.mark.parametrize("case", GIVEN)
def test_what_gives_no_configuration_is_refused(check, case):
    values, parts = GIVEN[case]
    with pytest.raises(UserError) as error:
        check(lambda trial, _task: base(trial, **values) if isinstance(values, dict) else values)
    assert [part for part in parts if part not in str(error.value)] == [], error.value


SOUND = {
    "the same range twice": lambda t: [t.suggest_float("x", 0, 1), t.suggest_float("x", 0.0, 1.0, log=False)],
    "the same choices twice": lambda t: [t.suggest_categorical("x", c) for c in ([1, 2], (1, 2))],
    "one point": lambda t: [t.suggest_float("x", 0.3, 0.3), t.suggest_int("y", 4, 4), t.suggest_categorical("z", [1])],
    "one point on a log scale": lambda t: t.suggest_float("x", 0.3, 0.3, log=True),
    "NumPy bounds": lambda t: [
        t.suggest_float("x", np.float32(0.5), np.float64(1)),
        t.suggest_int("y", np.int64(1), np.int32(3), step=np.int64(1)),
    ],
    "NumPy choices": lambda t: [
        t.suggest_categorical("x", np.array([8, 16, 32])),
        t.suggest_categorical("y", [np.bool_(True), np.bool_(False)]),
        t.suggest_categorical("z", [np.float64(0.5), np.str_("a"), np.int64(3)]),
    ],
    "tuples": lambda t: t.suggest_categorical("x", [(8, 2), (16, 3)]),
    "lists and dicts": lambda t: t.suggest_categorical("x", [[8, 2], {"width": 16}, (), ((1,), [np.int64(2)])]),
    "1, 1.0 and True": lambda t: t.suggest_categorical("x", [1, 1.0, True, "1", None]),
    "conditions": lambda t: t.suggest_categorical("x", [1, 2]) == 1 and t.suggest_float("y", 0, 1),
    "dynamic bounds": lambda t: t.suggest_float("x", 0, 1 + t.suggest_int("y", 1, 4)),
    "older names": lambda t: [t.suggest_uniform("x", 0, 1), t.suggest_discrete_uniform("y", 0, 1, 0.25)],
    "nothing": lambda _t: None,
}  # fmt: skip


def space_of(ask, seen=None):
    def space(trial, _task):
        found = ask(trial)
        if seen is not None:
            seen.append(found)
        return base(
            trial, depth=np.int64(2), dropout=np.float32(0.25), whiten=np.bool_(False), model=np.str_("convnet")
        )

    return space


@pytest.mark.parametrize("case", SOUND)
def test_what_can_be_searched_is_and_its_board_is_written_in_every_format(check, tmp_path, task, case):
    seen = []
    space = space_of(SOUND[case], seen)
    _, drawn = check(space)
    spec = make_spec(name="s", results=str(tmp_path), trials=4)
    study = create_study(spec, make_sampler(spec, choose_sampler(drawn, spec.trials)))
    suggester = ConfigSuggester(study, space, task, spec, Open())
    for _ in range(4):
        running = suggester.next_trial()
        running.trial.report(0.5, 1)
        study.tell(running.trial, state=TrialState.PRUNED)
    flush_study(study)
    trials = load_study(spec, spec.folder).get_trials()
    assert len(trials) == 4
    rows = rank_trials(load_study(spec, spec.folder))
    for form in ("csv", "json", "md", "html"):
        assert to_text(rows, form).count("stopped") >= 4
    assert len(json.loads(to_text(rows, "json"))) == 4
    if case == "tuples":
        assert set(seen) <= {(8, 2), (16, 3)}, "the space gets its own choice back"
        assert {t.params["x"] for t in trials} <= {"(8, 2)", "(16, 3)"}
    if case == "1, 1.0 and True":
        assert len({(type(each), each) for each in seen}) > 2


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_bears_points_tuples_and_numpy(tmp_path, task, sampler):
    spec = make_spec(name="s", results=str(tmp_path), trials=16, sampler=sampler)
    study = create_study(spec, make_sampler(spec, sampler))

    def space(trial, _task):
        shape = trial.suggest_categorical("shape", [(8, 2), (16, 3), (32, 2)])
        trial.suggest_float("point", np.float64(0.3), 0.3)
        return {"model": "convnet", "width": shape[0], "lr": trial.suggest_float("lr", 1e-3, 1e-1)}

    suggester = ConfigSuggester(study, space, task, spec, Open())
    for number in range(16):
        running = suggester.next_trial()
        running.trial.report(number / 16, 1)
        study.tell(running.trial, number / 16)
    assert len({t.params["shape"] for t in study.get_trials()}) > 1


def failing(share, error, seed):
    """A space that raises for a share of its draws."""
    rng = random.Random(seed)

    def space(trial, _task):
        values = base(trial)
        if rng.random() < share:
            raise error
        return values

    return space


ERRORS = (optuna.TrialPruned("too large"), optuna.TrialPruned(), ValueError("no\nluck"), ZeroDivisionError("by zero"))


@pytest.mark.parametrize(("error", "share", "seed"), list(itertools.product(ERRORS, (0.1, 0.4), range(3))))
def test_draws_that_raise_are_left_out_and_counted(check, tmp_path, task, error, share, seed):
    space = failing(share, error, seed)
    check(space, seed)
    spec = make_spec(name="s", results=str(tmp_path), trials=12, seed=seed)
    study = create_study(spec, make_sampler(spec, "random"))
    suggester = ConfigSuggester(study, space, task, spec, Open())
    asked = [suggester.next_trial() for _ in range(12)]
    assert all(asked)
    assert suggester.is_done
    trials = study.get_trials()
    refused = [t for t in trials if is_refused(t)]
    assert len(trials) == 12 + len(refused)
    said = describe_refusals(trials)
    assert (f"left out: {len(refused)} draws: " in said) == bool(refused)
    assert "\n" not in said
    assert all(type(error).__name__ in t.user_attrs["reason"] for t in refused)


@pytest.mark.parametrize("error", ERRORS)
def test_a_space_that_always_raises_is_refused_with_its_reason(check, error):
    with pytest.raises(
        UserError, match=f"each of [0-9]+ draws raised; the last: the space raised {type(error).__name__}"
    ):
        check(failing(1.0, error, 0))


def test_a_space_that_is_nearly_always_impossible_is_searched_and_one_that_has_no_more_ends(check, tmp_path, task):
    def seldom(trial, _task):
        width, depth = trial.suggest_int("width", 4, 9), trial.suggest_int("depth", 1, 4)
        if width != 4:
            raise optuna.TrialPruned
        return {"model": "convnet", "width": width, "depth": depth}

    check(seldom)
    spec = make_spec(name="s", results=str(tmp_path), trials=12)
    draw_sample(spec, seldom, task)
    assert draw_probes(seldom, task, spec, [], lambda _config: "").by_model["convnet"]
    suggester = ConfigSuggester(create_study(spec, make_sampler(spec, "random")), seldom, task, spec, Open())
    asked = []
    while (running := suggester.next_trial()) is not None:
        asked.append(running.assignment.config)
    assert {config.depth for config in asked} == {1, 2, 3, 4}
    assert len(asked) == 4
    assert suggester.is_done


def test_pins_hold_in_choices_of_tuples_and_older_names(check):
    def space(trial, _task):
        return {
            "model": "convnet",
            "width": trial.suggest_categorical("width", [8, 16]),
            "lr": trial.suggest_uniform("lr", 0, 1),
        }

    _, drawn = check(space, pins={"width": 64, "lr": 0.5})
    assert {name: set(d[name].choices) for d in drawn for name in d} == {"width": {64}, "lr": {0.5}}


NEIGHBOURS = """
from __future__ import annotations
from dataclasses import dataclass, field
from ranges import LR

@dataclass
class Choice:
    lr: tuple[float, float] = LR
    sizes: list[int] = field(default_factory=lambda: [8])

def space(trial, task):
    from widths import WIDTH
    return {"model": "convnet", "width": WIDTH, "lr": trial.suggest_float("lr", *Choice().lr)}
"""


def test_a_space_file_imports_what_lies_beside_it_and_has_dataclasses(tmp_path, monkeypatch, task):
    monkeypatch.chdir("/")
    monkeypatch.setattr(sys, "path", list(sys.path))
    folder = tmp_path / "json"  # a name that is taken
    folder.mkdir()
    (folder / "json.py").write_text(NEIGHBOURS)
    (folder / "ranges.py").write_text("LR = (0.001, 0.1)")
    (folder / "widths.py").write_text("WIDTH = 16")
    function = load_function(f"{folder}/json.py:space")
    assert function(optuna.create_study().ask(), task)["width"] == 16
    assert sys.modules["json"] is json, "what is installed stays what it is"
    assert load_function(f"{folder}/json.py:space") is function, "the file is run once"


def test_a_space_file_may_be_part_of_a_package(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    package = tmp_path / "my_project" / "spaces"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (package.parent / "common.py").write_text("WIDTH = 8")
    (package / "small.py").write_text("from ..common import WIDTH\ndef space(trial, task): return {'width': WIDTH}")
    assert load_function(f"{package}/small.py:space")(None, None) == {"width": 8}


WRONG_FILES = {
    "def space(trial): return {}": "takes (trial); a space takes two arguments, (trial, task)",
    "def space(trial, task, more): return {}": "takes (trial, task, more)",
    "space = 3": "has no function 'space'",
    "def spaces(trial, task): return {}": "did you mean 'spaces'",
    "import no_such_module": "ModuleNotFoundError: No module named 'no_such_module'",
    "def space(:": "SyntaxError",
    "raise SystemExit(3)": "SystemExit: 3",
    "from . import x": "ImportError",
}


@pytest.mark.parametrize("code", WRONG_FILES)
def test_a_file_that_holds_no_space_is_one_line(tmp_path, code):
    file = tmp_path / "mine.py"
    file.write_text(code)
    with pytest.raises(UserError) as error:
        load_function(f"{file}:space")
    assert WRONG_FILES[code] in str(error.value)
    assert "\n" not in str(error.value)


def test_a_changed_file_is_run_again(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("def space(trial, task): return {'width': 8}")
    assert load_function(f"{file}:space")(None, None) == {"width": 8}
    file.write_text("def space(trial, task): return {'width': 16, 'depth': 2}")
    assert load_function(f"{file}:space")(None, None) == {"width": 16, "depth": 2}
