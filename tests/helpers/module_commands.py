"""A module of the project run as a user at a terminal runs it."""

import os
import subprocess
import sys

from tests.helpers.repository import ROOT

SCREENS, LINES, COLUMNS = 2, 50, 100


def call(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"searchspace.{module}", *arguments],
        capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | {"COLUMNS": str(COLUMNS)},
    )  # fmt: skip
