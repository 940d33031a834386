"""What notebooks and scripts define runs the same in another process, from a file of its own."""

import json
import os
import subprocess
import sys

import pytest

from tests.helpers.extraction_cases import CASES, REFUSED
from tests.helpers.repository import ROOT

RUN = """
import importlib.util, json, sys
results = {}
for name, reference in json.load(sys.stdin).items():
    file, _, called = reference.rpartition(":")
    spec = importlib.util.spec_from_file_location("extracted", file)
    module = sys.modules["extracted"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    results[name] = getattr(module, called)()
print(json.dumps(results))
"""


def run_python(*arguments, given="", hash_seed="0", **environment):
    """What a process of its own prints, as JSON."""
    done = subprocess.run(
        [sys.executable, *arguments], input=given, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed} | environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module", params=["notebook", "script"])
def given(request, tmp_path_factory):
    """Reference and result of each case, given in a notebook or a script, and where the cache was."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "cache").mkdir(mode=0o700)
    driver = str(ROOT / "tests" / "helpers" / "extraction_driver.py")
    environment = {"SEARCHSPACE_CACHE": str(folder / "cache"), "IPYTHONDIR": str(folder / "ipython")}
    return lambda seed="0": run_python(driver, request.param, str(folder), hash_seed=seed, **environment)


@pytest.fixture(scope="module")
def found(given):
    return given()


@pytest.fixture(scope="module")
def again(found):
    """What each extracted file gives in a process that has nothing else."""
    references = {name: each["reference"] for name, each in found.items() if "reference" in each}
    return run_python("-c", RUN, given=json.dumps(references))


@pytest.mark.parametrize("case", CASES)
def test_an_extracted_function_returns_what_it_returned(case, found, again):
    assert "error" not in found[case]
    assert again[case] == found[case]["result"]


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_source_is_named(case, found):
    assert REFUSED[case][1] in found[case]["error"]
    assert found[case]["error"].startswith("metric=: ")
    assert "give 'FILE.py:root'" in found[case]["error"]
    assert "\n" not in found[case]["error"]


def test_the_same_code_is_the_same_file(found, given):
    assert given("7") == found


SCRIPT = """
import json
import layers
from searchspace.api.code_reference import to_reference

def root():
    from blocks.inner import value
    return [layers.double(4), value]

if __name__ == "__main__":
    print(json.dumps({"root": to_reference(root, "models=")}))
"""


def test_modules_beside_a_script_are_taken_along(tmp_path):
    (tmp_path / "train.py").write_text(SCRIPT)
    (tmp_path / "layers.py").write_text("from numbers_of import TWO\n\ndef double(x):\n    return TWO * x\n")
    (tmp_path / "numbers_of.py").write_text("TWO = 2\n")
    (tmp_path / "blocks").mkdir()
    (tmp_path / "blocks" / "__init__.py").write_text("")
    (tmp_path / "blocks" / "inner.py").write_text("value = 7\n")
    (tmp_path / "cache").mkdir(mode=0o700)
    references = run_python(str(tmp_path / "train.py"), SEARCHSPACE_CACHE=str(tmp_path / "cache"))
    assert references["root"].endswith("/train.py:root")
    for name in ("train.py", "layers.py", "numbers_of.py", "blocks/inner.py"):
        (tmp_path / name).unlink()
    folder = references["root"].rpartition("/")[0]
    found = run_python("-c", RUN, given=json.dumps(references), PYTHONPATH=f"{ROOT}:{folder}")
    assert found == {"root": [8, 7]}
