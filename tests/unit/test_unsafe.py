"""What this project never calls, and which versions it never runs on."""

import ast
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.helpers.advisories import FIRST_FIXED
from tests.helpers.repository import ROOT

PICKLING = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "_pickle"}
RESTRICTED = {
    "searchspace/sampling/cmaes_state.py": ["imports pickle"],
    "searchspace/api/definitions.py": ["calls compile"],
}
"""What is allowed where. An attack tests the first, `tests/security/shared_storage/test_pickle_in_study.py`; the second
compares what it compiled, the user's own source in his own process, and runs nothing."""
UNPACKING = {"extract", "extractall", "unpack_archive"}
RUNNING = {"read_pickle", "load_from_checkpoint", "system", "popen", "unsafe_load", "full_load"}


def sources() -> list[Path]:
    return [path for package in ("searchspace", "trainables") for path in sorted((ROOT / package).rglob("*.py"))]


def keywords(call: ast.Call) -> dict[str, object]:
    return {k.arg: getattr(k.value, "value", ...) for k in call.keywords if k.arg}


def why_unsafe(node: ast.AST) -> str:
    """Why a piece of code may run what it reads, or write where it should not; empty for one that cannot."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = {alias.name for alias in node.names} if isinstance(node, ast.Import) else {node.module or ""}
        return next((f"imports {name}" for name in names if name.split(".")[0] in PICKLING), "")
    if not isinstance(node, ast.Call):
        return ""
    given, called = keywords(node), ast.unparse(node.func)
    owner, _, name = called.rpartition(".")
    if called in {"eval", "exec", "compile", "__import__"} or name in RUNNING | UNPACKING or given.get("shell"):
        return f"calls {called}"
    if called in {"torch.load", "torch.hub.load"} and given.get("weights_only") is not True:
        return f"calls {called} without weights_only=True"
    if given.get("allow_pickle", False) is not False:
        return f"calls {called} with allow_pickle"
    return "restores a Tuner" if (owner.endswith("Tuner") and name == "restore") or called == "yaml.load" else ""


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_read_is_run(path):
    found = [(node.lineno, why) for node in ast.walk(ast.parse(path.read_text())) if (why := why_unsafe(node))]
    allowed = RESTRICTED.get(path.relative_to(ROOT).as_posix(), [])
    assert [(line, why) for line, why in found if why not in allowed] == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle", "from cloudpickle import loads", "torch.load(f)", "torch.load(f, weights_only=False)",
        "np.load(f, allow_pickle=True)", "np.load(f, allow_pickle=given)", "tar.extractall(p)", "eval(x)",
        "subprocess.run(x, shell=True)", "os.system(x)", "tune.Tuner.restore(p)", "pd.read_pickle(f)", "yaml.load(f)",
    ],
)  # fmt: skip
def test_the_scan_sees_what_it_is_for(code):
    assert any(why_unsafe(node) for node in ast.walk(ast.parse(code)))


def test_an_array_in_a_results_folder_cannot_carry_code(tmp_path):
    import numpy as np

    from trainables.common.errors import UserError
    from trainables.metrics.predictions import PREDICTIONS, read_predictions

    np.savez(tmp_path / PREDICTIONS, probabilities=np.array([{"a": 1}], dtype=object), labels=np.zeros(1))
    with pytest.raises(UserError, match=r"^damaged: .*allow_pickle=False"):
        read_predictions(tmp_path)


class Evil:
    """What runs code where it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (Path.write_text, (self.marker, "ran"))


def test_code_in_a_file_of_torchs_hub_is_not_run(tmp_path, monkeypatch):
    import torch

    from trainables.models.pretrained import load_backbone

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    hub = tmp_path / "hub" / "checkpoints"
    hub.mkdir(parents=True)
    torch.save(Evil(tmp_path / "marker"), hub / "shufflenetv2_x0.5-f707e7126e.pth")
    with pytest.raises(RuntimeError, match="holds more than tensors"):
        load_backbone("torchvision/shufflenet_v2_x0_5")
    assert not (tmp_path / "marker").exists()


def test_dependency_floors_are_above_the_known_advisories():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    floors = {}
    for text in project["dependencies"]:
        wanted = Requirement(text)
        floors[wanted.name] = max((Version(s.version) for s in wanted.specifier if s.operator == ">="), default=None)
        assert version(wanted.name) in wanted.specifier
    low = {
        name: str(floors[name])
        for name, fixed in FIRST_FIXED.items()
        if (floors[name] or Version("0")) < Version(fixed)
    }
    assert low == {}
