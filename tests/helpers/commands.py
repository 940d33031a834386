"""A command of the project in a process of its own, in a home and a cache of the test's."""

import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


RAY_TOKEN = uuid.uuid4().hex
"""Of every Ray instance these tests start; given by the environment, so that none is written into a home."""


def command(module: str, *arguments: str, home: Path, cache: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "HOME": str(home), "SEARCHSPACE_CACHE": str(cache), "HF_HUB_OFFLINE": "1", "NO_COLOR": "1",
        "RAY_AUTH_TOKEN": RAY_TOKEN,
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "-m", f"searchspace.{module}", *arguments],
        capture_output=True, text=True, check=False, env=environment, cwd=cwd, timeout=280,
    )  # fmt: skip
