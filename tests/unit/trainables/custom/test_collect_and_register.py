"""Own parts are collected from their files, and found by name where their code is registered."""

import os
import shutil
import sys

import pytest

from trainables.common.errors import UserError
from trainables.config import TrialConfig
from trainables.custom.collect import collect, load_part
from trainables.custom.custom_code import CustomCode
from trainables.custom.ranges import Choice, Float, Int, declared_ranges, hyperparameters, parse_value
from trainables.custom.register import own_ranges, register, register_descriptions, registered_code
from trainables.custom.source_modules import CODE_FOLDER, was_used_here
from trainables.models.model_registry import MODELS, is_pretrained
from trainables.storage.cache import cache_folder

NET = """
from __future__ import annotations
from dataclasses import dataclass

import blocks
from trainables.custom.ranges import Choice, Float, hyperparameters


@dataclass
class Shape:
    sizes: list[int]


@hyperparameters(heads=Choice(2, 4, 8), ratio=Float(0.1, 0.9))
def build(data, *, heads, ratio=0.3):
    '''A network of heads.'''
    import late
    return blocks.NAME, late.NAME, Shape([heads]).sizes, ratio
"""


@pytest.fixture(autouse=True)
def own_process(tmp_path, monkeypatch):
    """A cache of its own, and imports and registries as they were."""
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir(mode=0o700)
    monkeypatch.setattr(sys, "path", list(sys.path))
    modules = set(sys.modules)
    yield
    register(CustomCode())
    for name in set(sys.modules) - modules:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def write(folder, name="one", net=NET):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "my_net.py").write_text(net)
    (folder / "blocks.py").write_text(f"NAME = 'blocks of {name}'")
    (folder / "late.py").write_text(f"NAME = 'late of {name}'")
    (folder / "unrelated.py").write_text("raise SystemExit")
    return f"{folder}/my_net.py:build"


def test_a_model_and_what_it_imports_are_collected_and_found_by_name(tmp_path):
    code = collect([("model", write(tmp_path / "a"))])
    (part,) = code.parts
    assert (part.name, sorted(code.files)) == ("custom/my_net.build", ["0/blocks.py", "0/late.py", "0/my_net.py"])
    assert part.description["defaults"] == {"heads": 2, "ratio": 0.3}
    assert part.description["summary"] == "A network of heads."
    shutil.rmtree(tmp_path / "a")  # what is kept is enough
    register(CustomCode.model_validate_json(code.model_dump_json()))
    entry = MODELS["custom/my_net.build"]
    assert entry.function(None, heads=4, ratio=0.5) == ("blocks of one", "late of one", [4], 0.5)
    assert own_ranges(registered_code()) == {"heads": Choice(2, 4, 8), "ratio": Float(0.1, 0.9)}
    assert not is_pretrained("custom/my_net.build")
    assert TrialConfig(model="custom/my_net.build").model == part.name
    register(CustomCode())
    assert part.name not in MODELS
    assert not is_pretrained(part.name), "its name says so, where its code is not known"


def test_two_files_of_one_name_do_not_mix(tmp_path):
    codes = {name: collect([("model", write(tmp_path / name, name))]) for name in ("one", "two")}
    sys.modules["late"] = other = type(sys)("late")
    other.NAME = "a module of the caller's own"
    for name in ("one", "two", "one"):
        register(codes[name])
        found = load_part(codes[name], codes[name].parts[0])(None, heads=2)
        assert found[0] == f"blocks of {name}"
        assert sys.modules["late"] is other, "a caller's module stays what it is"
    del sys.modules["late"]


def test_parts_of_two_folders_import_inside_functions_after_both_are_registered(tmp_path):
    first, second = write(tmp_path / "one", "one"), tmp_path / "two" / "other.py"
    second.parent.mkdir()
    second.write_text("def build(data):\n    import beside\n    return beside.NAME")
    (second.parent / "beside.py").write_text("NAME = 'beside the second'")
    register(collect([("model", first), ("model", f"{second}:build")]))
    assert MODELS["custom/my_net.build"].function(None, heads=2)[1] == "late of one"
    assert MODELS["custom/other.build"].function(None) == "beside the second"


def test_a_neighbour_that_changed_is_read_again(tmp_path):
    reference = write(tmp_path / "a")
    first = collect([("model", reference)])
    (tmp_path / "a" / "blocks.py").write_text("NAME = 'changed'")
    again = collect([("model", reference)])
    assert first.digest_of(first.parts[0]) != again.digest_of(again.parts[0])
    assert load_part(again, again.parts[0])(None, heads=2)[0] == "changed"
    assert load_part(first, first.parts[0])(None, heads=2)[0] == "blocks of one"


def test_code_lies_in_a_private_folder_that_is_verified(tmp_path):
    code = collect([("model", write(tmp_path / "a"))])
    sources = code.sources(code.parts[0])
    (folder,) = (cache_folder() / CODE_FOLDER).iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert was_used_here(sources)
    (folder / "blocks.py").write_text("NAME = 'of another'")
    assert not was_used_here(sources)
    (folder / "blocks.py").write_text(sources["blocks.py"])
    (folder / "more.py").touch()
    assert not was_used_here(sources)
    (folder / "more.py").unlink()
    os.chmod(folder, 0o755)
    assert not was_used_here(sources)


def test_a_package_is_imported_by_its_name(tmp_path, monkeypatch):
    package = tmp_path / "nets_of_mine" / "deep"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (package.parent / "common.py").write_text("WIDTH = 8")
    (package / "net.py").write_text("from ..common import WIDTH\nimport nets_of_mine.common as c\n"
                                    "def build(data): return WIDTH + c.WIDTH")  # fmt: skip
    monkeypatch.chdir(tmp_path)
    by_module = collect([("model", "nets_of_mine.deep.net:build")])
    by_file = collect([("model", "nets_of_mine/deep/net.py:build")])
    assert by_module.files == by_file.files
    assert sorted(by_file.files)[0] == "0/nets_of_mine/__init__.py"
    for code in (by_module, by_file):
        assert code.parts[0].name == "custom/net.build"
        assert load_part(code, code.parts[0])(None) == 16


def test_a_process_that_only_reads_runs_no_code(tmp_path):
    code = collect([("model", write(tmp_path / "a"))])
    changed = code.model_copy(update={"files": dict.fromkeys(code.files, "raise SystemExit")})
    register_descriptions(changed)
    entry = MODELS["custom/my_net.build"]
    assert entry.function is None
    assert dict(entry.own_defaults) == {"heads": 2, "ratio": 0.3}


WRONG = {
    "x = 3": "has no function 'build'",
    "def built(data): pass": "did you mean 'built'",
    "def build(): pass": "takes (), and declares no hyperparameters",
    "def build(data, *, heads): pass": "missing a required argument: 'heads'",
    "def build(data): pass\nbuild.hyperparameters = {'heads': 3}": "heads is 3; expected Choice",
    "def build(data, lr): pass\nbuild.hyperparameters = dict(lr=Int(1, 2))": "give it another name, such as own_lr",
    "def build(data): pass\nbuild.hyperparameters = dict(heads=Int(1, 2))": "declares heads",
    "def build(data, heads=9): pass\nbuild.hyperparameters = dict(heads=Int(1, 2))": "default of heads, 9, is not",
    "Int(3, 1)": "ValueError: no number lies between 3 and 1",
    "Choice(1, 'a')": "choices are of one type",
    "Choice()": "ValidationError",
    "import no_such_module": "ModuleNotFoundError: No module named 'no_such_module'",
    "def build(:": "SyntaxError in",
    "raise SystemExit(3)": "SystemExit: 3",
}


@pytest.mark.parametrize("code", WRONG)
def test_a_file_that_holds_no_model_is_one_line(tmp_path, code):
    file = tmp_path / "mine.py"
    file.write_text("from trainables.custom.ranges import Choice, Int\n" + code)
    with pytest.raises(UserError) as raised:
        collect([("model", f"{file}:build")])
    said = str(raised.value)
    assert WRONG[code] in said
    assert said.startswith(f"--models '{file}:build': ")
    assert "\n" not in said


def test_what_is_not_there_is_one_line(tmp_path):
    for reference, said in {"no.py:build": "existing file", "no_such.module:build": "no module 'no_such.module'",
                            "my_net.py": "expected", "json:1": "expected"}.items():  # fmt: skip
        with pytest.raises(UserError, match=said):
            collect([("model", reference)])


def test_two_parts_of_one_name_and_ranges_that_differ_are_refused(tmp_path):
    same = [("model", write(tmp_path / "a")), ("model", write(tmp_path / "b"))]
    with pytest.raises(UserError, match=r"is called 'custom/my_net.build' as well; rename"):
        collect(same)
    other = tmp_path / "b" / "other.py"
    other.write_text(NET.replace("Choice(2, 4, 8)", "Choice(3, 5)"))
    with pytest.raises(UserError, match="both declare 'heads', in different ranges"):
        register(collect([same[0], ("model", f"{other}:build")]))


def test_more_code_than_a_search_keeps_is_refused(tmp_path):
    reference = write(tmp_path / "a")
    (tmp_path / "a" / "blocks.py").write_text(f"X = {'x' * 1_100_000!r}")
    with pytest.raises(UserError, match=r"more than 1,024 KB of code, with 'blocks.py'"):
        collect([("model", reference)])


def test_ranges_have_defaults_and_read_texts():
    @hyperparameters(heads=Choice(4, 2), depth_of=Int(1, 6), wide=Int(8, 128, log=True), ratio=Float(0.2, 0.4),
                     on=Choice(False, True))  # fmt: skip
    def build(data, **_own): ...

    ranges = declared_ranges(build)
    assert {name: own.default for name, own in ranges.items()} == {
        "heads": 4, "depth_of": 4, "wide": 32, "ratio": pytest.approx(0.3), "on": False,
    }  # fmt: skip
    texts = {"heads": "2", "depth_of": "9", "wide": "16", "ratio": "1e-3", "on": "true"}
    assert [parse_value(name, text, ranges) for name, text in texts.items()] == [2, 9, 16, 0.001, True]
    for name, text, said in (("heads", "3", "is none of 4, 2"), ("wide", "a", "is no whole number"),
                             ("ratio", "nan", "is no number"), ("head", "2", "did you mean 'heads'")):  # fmt: skip
        with pytest.raises(UserError, match=said):
            parse_value(name, text, ranges)
    with pytest.raises(TypeError, match="heads=3"):
        hyperparameters(heads=3)
