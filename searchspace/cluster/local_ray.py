"""Ray on this machine alone: a fresh token, every port on loopback, and files that no other user can reach."""

import atexit
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from searchspace.cli.interruption import Interrupted
from searchspace.ray_compat import LOOPBACK_VARIABLES, kill_processes_with, new_sessions, reread_environment
from trainables.common.errors import UserError

PREFIX = "searchspace-ray-"
"""How the name of the folder with Ray's sockets and logs begins; the command lines of Ray's processes hold it."""
MAX_FOLDER_CHARACTERS = 40
"""Characters of a folder that leave room for Ray's sockets below it; a socket's path has 107 at most."""


@contextmanager
def alone() -> Iterator[dict[str, Any]]:
    """Options of `ray.init` for a Ray of one's own; what they need is in the environment, and in no command line.

    The folder with Ray's sockets and logs goes afterwards, but stays where the block failed, to be looked at.
    """
    variables = LOOPBACK_VARIABLES | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    folder = _private_folder()
    remove = partial(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(remove)  # after Ray's own: a start that is interrupted leaves processes until then
    try:
        with _environment(variables), new_sessions():
            # Ray makes its own folder readable for all users; the private folder around it keeps them out.
            yield {"address": "local", "include_dashboard": False, "_temp_dir": str(folder / "ray")}
    except (UserError, Interrupted, KeyboardInterrupt, SystemExit):
        remove()
        raise
    except BaseException:
        atexit.unregister(remove)
        raise
    remove()
    atexit.unregister(remove)


def kill_own() -> None:
    """Kill the processes of a Ray that this process started, without a request to shut down."""
    kill_processes_with(PREFIX)


def _private_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    if len(str(folder)) > MAX_FOLDER_CHARACTERS:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir="/tmp"))
    return folder


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    if not reread_environment():
        raise UserError(
            "this release of Ray reads its settings once a process, and has read them; search in a new process, or "
            "before anything else imports ray"
        )
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        reread_environment()
