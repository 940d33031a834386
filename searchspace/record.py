"""The facts beside the specification in `search.json`: what it takes to repeat a search, and what it ran on."""

import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trainables.machine import cpu_name
from trainables.redaction import redact
from trainables.versions import versions_of

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
COMMIT = "SEARCHSPACE_COMMIT"
"""Environment variable: the commit of code that was shipped without its checkout."""


def gather_facts() -> dict[str, Any]:
    """Command, time, versions, git commit and machine."""
    return {
        "command": "python -m " + shlex.join(map(redact, _module_and_arguments())),
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
    root = Path(__file__).resolve().parent.parent
    try:
        commit = _git(root, "rev-parse", "HEAD")
        return commit + ("+changes" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get(COMMIT, "")


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)  # noqa: S603, S607  # git, by its name, with fixed arguments
    return done.stdout.strip()


def _module_and_arguments() -> list[str]:
    package = Path(sys.argv[0])
    return [f"{package.parent.name}.{package.stem}", *sys.argv[1:]]
