"""Restart the command in the same process when a part of the cluster that the search depends on is lost."""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from searchspace.cli.interruption import LostError
from searchspace.cluster.local_ray import kill_own
from searchspace.preparation.resume import resume_arguments
from searchspace.spec import SearchSpec

LOSSES = "SEARCHSPACE_LOSSES"
"""Environment variable: how often this command was restarted."""
MAX_RESTARTS = 3
"""Restarts after which a command gives up; its search can still be resumed."""


def restart_search(spec: SearchSpec, options: Sequence[str], error: Exception) -> NoReturn:
    """Replace this process by a command that resumes the search, with `options` added.

    Raises `LostError` after too many restarts.

    The process is replaced because `ray.shutdown` ends a process whose threads still call Ray, as those of the gangs
    do. The Ray processes that it started are ended first.
    """
    from searchspace.study.database import STORAGE_VARIABLE, url_with_password

    losses = int(os.environ.get(LOSSES, "0")) + 1
    if losses > MAX_RESTARTS:
        raise LostError(f"{error}, for the {losses}th time") from error
    kill_own()
    sys.stdout.flush()
    secrets = {STORAGE_VARIABLE: url_with_password(spec.storage)} if spec.storage else {}  # never on a command line
    os.environ.update({**secrets, LOSSES: str(losses)})
    command = [sys.executable, "-m", "searchspace.run", *resume_arguments(spec), *options]
    os.execv(sys.executable, command)  # noqa: S606  # this program
