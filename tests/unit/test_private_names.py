"""No module but the compat ones names a private part of Ray, Optuna or MLflow."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.repository import ROOT

FOREIGN = ("ray", "optuna", "mlflow")
PRIVATE_MODULES = re.compile(
    r"(ray|optuna|mlflow)(\.\w+)*\._|ray\.(tune\.impl|core)\b|mlflow\.(utils|system_metrics)\b"
)
"""Modules that are private by name, or in no documentation."""
VARIABLES = re.compile(r"(RAY|TUNE)_[A-Za-z_]+")
DOCUMENTED = {
    "RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_USE_TLS",
    "RAY_JOB_STOP_WAIT_TIME_S", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "TUNE_WARN_INSUFFICIENT_RESOURCE_THRESHOLD_S",
    "TUNE_MAX_PENDING_TRIALS_PG", "TUNE_DISABLE_SIGINT_HANDLER",
}  # fmt: skip
"""Environment variables in Ray's documentation."""
OWNERS = {"self", "cls", "os", "sys", "torch"}
"""Whose underscored attributes are no foreign package's, or are those of a package that this test is not about."""


def modules() -> list[Path]:
    found = sorted(path for package in ("searchspace", "trainables") for path in (ROOT / package).rglob("*.py"))
    return [path for path in found if not path.stem.endswith("_compat")]


def imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Local name and full name of everything that is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.asname or alias.name, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)


def private_names(tree: ast.Module) -> Iterator[str]:
    known = dict(imports(tree))
    yield from (name for name in known.values() if PRIVATE_MODULES.match(name))
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and re.fullmatch(r"_[a-z]\w*", node.attr) and node.attr not in own:
            owner = node.value
            if isinstance(owner, ast.Name) and owner.id in OWNERS:
                continue
            if not (isinstance(owner, ast.Call) and isinstance(owner.func, ast.Name) and owner.func.id == "super"):
                yield ast.unparse(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and VARIABLES.fullmatch(node.value):
            if node.value not in DOCUMENTED:
                yield node.value
        elif isinstance(node, ast.ClassDef):
            yield from overridden(node, known)


def overridden(node: ast.ClassDef, known: dict[str, str]) -> Iterator[str]:
    """Private methods of a foreign base class that a class overrides."""
    for base in node.bases:
        head, _, rest = ast.unparse(base).partition(".")
        full = f"{known.get(head, head)}.{rest}".rstrip(".")
        if full.split(".")[0] in FOREIGN:
            module, _, name = full.rpartition(".")
            foreign = getattr(importlib.import_module(module), name)
            for each in node.body:
                if isinstance(each, ast.FunctionDef) and re.match("_[a-z]", each.name) and hasattr(foreign, each.name):
                    yield f"{full}.{each.name}"


def test_private_names_are_in_the_compat_modules_alone():
    found = {path.relative_to(ROOT).as_posix(): [*private_names(ast.parse(path.read_text()))] for path in modules()}
    assert len(found) > 300
    assert {path: names for path, names in found.items() if names} == {}, (
        "put them behind a function of a compat module"
    )


@pytest.mark.parametrize(
    "line",
    [
        "import ray._private.worker", "from ray._raylet import Config", "from ray.train._internal import storage",
        "from ray.train.v2._internal.execution.controller import TrainController",
        "from ray.tune.impl.tuner_internal import TunerInternal", "from ray.core.generated import gcs_service_pb2",
        "from optuna.storages import _rdb", "from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME",
        "from mlflow.system_metrics import system_metrics_monitor", "import optuna\nprint(study._storage)",
        "import os\nos.environ['RAY_CHDIR_TO_TRIAL_DIR'] = '0'",
        "from optuna.storages import RDBStorage\nclass A(RDBStorage):\n    def _get_trials(self): ...",
    ],
)  # fmt: skip
def test_what_is_private_is_found(line):
    assert [*private_names(ast.parse(line))]


@pytest.mark.parametrize(
    "line",
    [
        "from ray import tune", "from optuna.storages import RDBStorage\nclass A(RDBStorage):\n    def _own(self): ...",
        "class A:\n    def b(self): return self._c", "import os\nos.environ['RAY_ADDRESS']",
    ],
)  # fmt: skip
def test_what_is_public_is_not(line):
    assert [*private_names(ast.parse(line))] == []
