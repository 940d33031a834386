"""Facts beside the specification in `search.json`: versions, data and machine, to repeat a search."""

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, ValidationError

from searchspace.storage.search_folder import SEARCH_RECORD
from trainables.common.environment import cpu_name, versions_of
from trainables.common.errors import DamagedError
from trainables.common.redaction import redact
from trainables.config import Frozen
from trainables.data.store.data_summary import DataSummary
from trainables.storage.files import format_validation_error

PACKAGES = (
    "searchspace",
    "ray",
    "torch",
    "torchvision",
    "timm",
    "optuna",
    "numpy",
    "scikit-learn",
    "onnx",
    "onnxruntime",
)
COMMIT_VARIABLE = "SEARCHSPACE_COMMIT"
"""Environment variable: the commit of code that was shipped without its checkout."""


class RecordedGangs(Frozen):
    """What trained at a time; more is kept as it is."""

    model_config = ConfigDict(extra="allow")
    slots: int = Field(1, ge=1, le=1_000_000)
    """Trials at a time."""


class SearchRecord(Frozen):
    """`search.json` as it is read: what another version wrote may lack some of it, or have more, which is kept."""

    model_config = ConfigDict(extra="allow")
    spec: dict[str, Any] = Field(default_factory=dict)
    """What was asked for, read as `SearchSpec`."""
    command: str = ""
    """What was typed, without passwords."""
    started: str = ""
    """UTC, ISO 8601."""
    resumed: tuple[str, ...] = ()
    """When it was resumed; UTC, ISO 8601."""
    python: str = ""
    """Its version."""
    versions: dict[str, Any] = Field(default_factory=dict)
    """Of packages, by name."""
    git_commit: str = ""
    """Of this project."""
    space_sha256: str = ""
    """Digest of the file of `--space`; empty without one."""
    custom: tuple[dict[str, Any], ...] = ()
    """Parts of the user's own, read as `CustomPart`."""
    code_sha256: dict[str, str] = Field(default_factory=dict)
    """Digest of each file of their source, by its path in the search's folder `code`."""
    machine: dict[str, Any] = Field(default_factory=dict)
    """The driver's."""
    gangs: RecordedGangs = RecordedGangs()
    """What trained."""
    workers: tuple[dict[str, Any], ...] = ()
    """Of each gang."""
    data: dict[str, Any] = Field(default_factory=dict)
    """Read as `DataSummary`."""
    took: dict[str, float] = Field(default_factory=dict)
    """Seconds from the command to the end of each phase."""


def read_data(folder: Path, facts: Mapping[str, Any]) -> DataSummary:
    """The data that a search's record names; raises `DamagedError` where it has none, or in another form."""
    try:
        return DataSummary.model_validate(facts.get("data"))
    except ValidationError as error:
        raise DamagedError(folder / SEARCH_RECORD, f"data.{format_validation_error(error)}") from error


def collect_facts() -> dict[str, Any]:
    """Command, time, versions, git commit and machine."""
    return {
        "command": shlex.join(map(redact, _command())),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "versions": versions_of(PACKAGES),
        "git_commit": git_commit(),
        "machine": {"cpu": cpu_name(), "cores": os.cpu_count(), "system": platform.platform()},
    }


def git_commit() -> str:
    """Commit of the checkout this code runs from, with `+changes` if it has any.

    Outside a checkout it is what `SEARCHSPACE_COMMIT` says, or empty.
    """
    root = Path(__file__).resolve().parents[2]
    try:
        commit = _git(root, "rev-parse", "HEAD")
        return commit + ("+changes" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get(COMMIT_VARIABLE, "")


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)  # noqa: S603, S607  # git, by its name, with fixed arguments
    return done.stdout.strip()


def _command() -> list[str]:
    """The words that start this command: `searchspace run ...`, or `python -m` of another module."""
    package = Path(sys.argv[0])
    is_own = package.parent.name == "searchspace"
    start = ["searchspace", package.stem] if is_own else ["python", "-m", f"{package.parent.name}.{package.stem}"]
    return [*start, *sys.argv[1:]]
