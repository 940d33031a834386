"""Beginning afresh in the same place, when a part of the cluster that everything hangs on is lost."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from searchspace.cli.interruption import LostError
from searchspace.cluster.local_ray import kill_own

LOSSES = "SEARCHSPACE_LOSSES"
"""Environment variable: how often this command has begun afresh."""
MOST = 3
"""Losses after which a command gives up; its search can still be resumed."""


def begin_afresh(arguments: Sequence[str], environment: Mapping[str, str], error: Exception) -> NoReturn:
    """Replace this process by a new one that resumes, with `environment` besides its own; raises `LostError` at last.

    Ray ends a process whose threads still talk to it when it is shut down, and those of the gangs do. Nothing of a
    process that is replaced goes on, and what it started of Ray is ended first.
    """
    losses = int(os.environ.get(LOSSES, "0")) + 1
    if losses > MOST:
        raise LostError(f"{error}, for the {losses}th time") from error
    kill_own()
    sys.stdout.flush()
    os.environ.update({**environment, LOSSES: str(losses)})
    os.execv(sys.executable, [sys.executable, "-m", "searchspace.run", *arguments])  # noqa: S606  # this program
