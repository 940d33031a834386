"""A search goes on with the code that it kept."""

import json
import shutil
from pathlib import Path

import optuna
import pytest

from searchspace.own_code.collected_code import with_own_code
from searchspace.own_code.kept_code import read_code, write_code
from searchspace.own_code.resumed_code import register_code_of, warn_of_changed_space
from searchspace.preparation.absolute_paths import with_absolute_paths
from searchspace.preparation.early_checks import check_early
from searchspace.preparation.resume import load_resumed_spec
from searchspace.spaces import load_space
from searchspace.spec import load_facts, make_spec, save_record
from tests.helpers.own_models import MODEL, write_net
from trainables.common.errors import UserError
from trainables.custom.custom_code import CustomCode
from trainables.custom.register import register, registered_code
from trainables.models.model_registry import MODELS

SPACE = """
from __future__ import annotations
from dataclasses import dataclass
import widths

@dataclass
class Ranges:
    low: float = 1e-3

def space(trial, task):
    return {"model": "convnet", "width": widths.WIDTH, "lr": trial.suggest_float("lr", Ranges().low, 1e-1)}
"""


@pytest.fixture(autouse=True)
def unregistered(tmp_path, monkeypatch):
    """A cache of its own, and no own part after a test."""
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "cache"))
    yield
    register(CustomCode())


def begin(tmp_path: Path) -> str:
    """Begin a search with a space and a model of one's own; returns its folder."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "spaces.py").write_text(SPACE)
    (tmp_path / "mine" / "widths.py").write_text("WIDTH = 16")
    models = ("convnet", write_net(tmp_path / "mine"))
    space = f"{tmp_path}/mine/spaces.py:space"
    given = make_spec(name="s", results=str(tmp_path / "results"), space=space, models=models, pins=["heads=4"])
    spec = with_own_code(with_absolute_paths(given))
    facts = write_code(spec.folder, registered_code())
    save_record(spec.folder, spec, facts)
    return str(spec.folder)


def resume(folder: str, **given: object):
    options = {"results": "results"} | given
    spec = load_resumed_spec(folder, options, frozenset(given))
    check_early(spec, resumed=True)
    return spec


def width(spec) -> int:
    return load_space(spec.space)(optuna.create_study().ask(), None)["width"]


def test_it_goes_on_elsewhere_with_its_own_code_where_the_files_are_gone(tmp_path):
    folder = begin(tmp_path)
    shutil.rmtree(tmp_path / "mine")
    shutil.rmtree(tmp_path / "cache")
    moved = shutil.move(folder, tmp_path / "moved")
    spec = resume(str(moved))
    assert (spec.models, spec.pins) == (("convnet", MODEL), {"heads": 4})
    assert width(spec) == 16
    assert MODELS[MODEL].function is not None
    warn_of_changed_space(spec)


def test_a_file_that_changed_is_said_and_not_used(tmp_path, logged):
    folder = begin(tmp_path)
    (tmp_path / "mine" / "widths.py").write_text("WIDTH = 64")
    spec = resume(folder)
    assert width(spec) == 16
    (line,) = [line for line in logged if "was changed since" in line]
    assert "spaces.py:space" in line
    assert "goes on with the code that it kept; a new search, with --warm-start" in line


@pytest.mark.parametrize("option", ["space", "models"])
def test_what_is_named_again_has_to_be_the_same(tmp_path, option):
    folder = begin(tmp_path)
    named = {"space": f"{tmp_path}/mine/spaces.py:space", "models": [f"{tmp_path}/mine/my_net.py:build"]}
    copied = {"space": f"{tmp_path}/copy/spaces.py:space", "models": [f"{tmp_path}/copy/my_net.py:build"]}
    shutil.copytree(tmp_path / "mine", tmp_path / "copy")
    for given in (named, copied):
        spec = resume(folder, **{option: given[option]})
        assert spec.models == ("convnet", MODEL)
        assert width(spec) == 16
    for neighbour in ("widths.py", "side.py"):
        (tmp_path / "mine" / neighbour).write_text("WIDTH = 64")
    with pytest.raises(UserError, match=r"is not the code that search 's' was begun with; leave it out"):
        resume(folder, **{option: named[option]})


def test_a_model_that_the_search_does_not_have_is_refused(tmp_path):
    folder = begin(tmp_path)
    with pytest.raises(UserError, match=r"--models 'resnet': is not what search 's' was begun with"):
        resume(folder, models=[f"resnet,{tmp_path}/mine/my_net.py:build"])
    with pytest.raises(UserError, match="--models: is part of what search 's' is"):
        resume(folder, models=["resnet"])


def test_kept_code_that_was_changed_or_is_not_ones_own_is_not_run(tmp_path):
    folder = Path(begin(tmp_path))
    file = folder / "code" / "0" / "my_net.py"
    text = file.read_text()
    file.write_text(text + "\n")
    with pytest.raises(UserError, match=r"my_net.py'?: was changed; search.json has its SHA-256"):
        resume(str(folder))
    file.unlink()
    with pytest.raises(UserError, match="is missing; it is code of the search"):
        resume(str(folder))
    file.write_text(text)
    file.chmod(0o666)
    with pytest.raises(UserError, match="others can write to it"):
        resume(str(folder))
    with pytest.raises(UserError, match="its networks are code that it kept, and it is not yours alone"):
        register_code_of(folder)
    file.chmod(0o644)
    register_code_of(folder)


def test_a_search_without_own_code_keeps_none(tmp_path):
    spec = make_spec(name="s", results=str(tmp_path))
    assert write_code(spec.folder, registered_code()) == {}
    save_record(spec.folder, spec, {})
    assert not read_code(spec.folder, load_facts(spec.folder))
    assert "custom" not in json.loads((spec.folder / "search.json").read_text())
