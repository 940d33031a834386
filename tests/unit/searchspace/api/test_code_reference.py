"""Objects as references: what a file or an installed package defines is named, not written anew."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from searchspace.api.code_reference import to_reference

SOURCE = """
from dataclasses import dataclass

@dataclass
class Settings:
    size: int = 1

def score(counts):
    return 1.0

CHOSEN = Settings(3)
"""


@pytest.fixture
def module(tmp_path):
    file = tmp_path / "my_parts.py"
    file.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("my_parts", file)
    found = sys.modules["my_parts"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    yield found
    del sys.modules["my_parts"]


@pytest.mark.parametrize("name", ["score", "Settings", "CHOSEN"])
def test_what_a_file_defines_is_named_by_it(name, module):
    assert to_reference(getattr(module, name), "metric=") == f"{module.__file__}:{name}"


def test_what_is_installed_is_named_by_its_package():
    assert to_reference(pytest.fixture, "models=") == "_pytest.fixtures:fixture"
    assert to_reference(json.dumps, "models=") == "json:dumps"


def test_texts_and_paths_stay():
    assert to_reference("convnet", "models=") == "convnet"
    assert to_reference(Path("my_net.py"), "models=") == "my_net.py"
