"""Runs a command of this package in a process of its own, so that the calling program stays as it is."""

import os
import subprocess
import sys
from collections.abc import Sequence

from searchspace.api.process.search_request import import_path
from trainables.common.errors import UserError

QUOTED_LINES = 12
"""Last lines of a command's output that an error quotes."""
ERROR = "error: "
"""How the line with a command's error begins."""


class CommandFailedError(RuntimeError):
    """A command ended by a defect of the program, or was killed; the message quotes its last lines."""


def run_module(module: str, arguments: Sequence[str]) -> None:
    """Run `python -m MODULE ARGUMENTS` to its end.

    Raises `UserError` with its error where it has one, and `CommandFailedError` for a defect.
    """
    environment = os.environ | import_path()
    done = subprocess.run(  # noqa: S603  # this package
        [sys.executable, "-m", module, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="backslashreplace", check=False, env=environment,
        start_new_session=True,
    )  # fmt: skip
    if done.returncode:
        lines = done.stdout.strip().splitlines()
        errors = [line.removeprefix(ERROR) for line in lines if line.startswith(ERROR)]
        if errors:
            raise UserError(errors[-1])
        said = "\n".join(lines[-QUOTED_LINES:])
        raise CommandFailedError(f"{module} ended with exit code {done.returncode}:\n{said}")
