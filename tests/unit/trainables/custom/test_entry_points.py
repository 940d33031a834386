"""Parts of installed packages: a package of two files whose metadata lie on the import path."""

import logging
import sys

import pytest

from searchspace.diagnosis.finding import State
from searchspace.diagnosis.software import judge_entry_points
from searchspace.own_code.collected_code import with_own_code
from searchspace.spec import make_spec
from trainables.common.errors import UserError
from trainables.custom.collect import collect
from trainables.custom.custom_code import CustomCode
from trainables.custom.entry_points import find_entry_point, list_entry_points
from trainables.custom.register import register_descriptions

PARTS = """
from searchspace import Choice, augmentation, hyperparameters, metric
from .layers import head

@hyperparameters(heads=Choice(1, 2))
def build(data, *, heads):
    return head(data, heads)

@metric(label="half the accuracy")
def half(counts):
    return counts.accuracy / 2

def read(path):
    return [], []
"""
LAYERS = "from torch import nn\n\ndef head(data, heads):\n    return nn.Identity()\n"
ENTRIES = """
[searchspace.models]
my_net = NAME.parts:build
convnet = NAME.parts:build
resnet18 = NAME.parts:build
broken = NAME.broken:build
[searchspace.metrics]
half = NAME.parts:half
[searchspace.data_sources]
mine = NAME.parts:read
"""


def install(folder, name):
    package, info = folder / name, folder / f"{name}-1.0.dist-info"
    package.mkdir()
    info.mkdir()
    (package / "__init__.py").write_text("")
    (package / "parts.py").write_text(PARTS)
    (package / "layers.py").write_text(LAYERS)
    (package / "broken.py").write_text("import nothing_that_exists\n")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES.replace("NAME", name))


@pytest.fixture
def installed(tmp_path, monkeypatch):
    install(tmp_path, "one_package")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    register_descriptions(CustomCode())
    for name in [name for name in sys.modules if name.startswith("one_package")]:
        del sys.modules[name]


def made(**options):
    return with_own_code(make_spec(name="x", **options))


def test_a_package_offers_a_model_and_a_metric_by_name(installed):
    spec = made(models=["my_net,mlp"], metric="half", pins=["heads=2"])
    assert spec.models == ("custom/my_net", "mlp")
    assert spec.metric == "custom/half"
    assert spec.pins == {"heads": 2}


def test_its_code_is_kept_with_what_it_imports(installed):
    code = collect([("model", "my_net")])
    (part,) = code.parts
    assert (part.name, part.reference) == ("custom/my_net", "one_package.parts:build")
    assert sorted(code.files) == ["0/one_package/__init__.py", "0/one_package/layers.py", "0/one_package/parts.py"]


def test_a_broken_part_is_an_error_only_where_it_is_asked_for(installed):
    assert made(models=["mlp"], metric="mcc").models == ("mlp",)
    with pytest.raises(UserError, match=r"^--models 'one_package\.broken:build': ModuleNotFoundError"):
        made(models=["broken"])


def test_a_name_that_is_built_in_stays_so_and_both_are_named(installed, caplog):
    with caplog.at_level(logging.WARNING):
        assert made(models=["convnet"]).models == ("convnet",)
    assert "'convnet': is built in; an installed package offers one_package.parts:build" in caplog.text
    with pytest.raises(UserError, match=r"is the network 'resnet18' of timm and one_package\.parts:build of the"):
        made(models=["resnet18"])


def test_two_packages_of_one_name_are_both_named(installed):
    install(installed, "two_package")
    with pytest.raises(UserError, match=r"'one_package' and two_package\.parts:build of the package 'two_package'"):
        find_entry_point("model", "my_net", "--models")


def test_entry_points_are_listed_without_importing_any(installed):
    assert ("source", "mine", "one_package") in list(list_entry_points())
    shown = {(found.name, found.value): found.state for found in judge_entry_points({"convnet"})}
    assert shown["model", "my_net, of the package one_package"] is State.FINE
    assert shown["model", "convnet, of the package one_package: refused, the name is built in"] is State.WARNING
    assert "one_package" not in sys.modules


def test_a_name_that_no_package_offers_is_none():
    assert find_entry_point("model", "my_net", "--models") is None
    with pytest.raises(UserError, match="--metric 'half': not one of accuracy"):
        make_spec(name="x", metric="half")
    with pytest.raises(UserError, match=r"--augmentations 'half': expected FILE\.py:FUNCTION"):
        made(augmentations=["half"])
