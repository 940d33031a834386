"""The upload beside a running search: begun with it, given a while to finish, and never waited for."""

import os
import select
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from searchspace.database import STORAGE, whole_url
from searchspace.spec import SearchSpec
from trainables.files import open_append, read_file

PERIOD = 5.0
"""Seconds between two looks at the study."""
PATIENCE = 120.0
"""Seconds that a finished search waits for the last upload."""
LOG = "mlflow.log"
ERROR = "error: "
"""How a command's last line begins that says what was wrong."""


@contextmanager
def tracked(spec: SearchSpec, say: Callable[[str], None]) -> Iterator[None]:
    """Upload to MLflow while the block runs, and wait a while for the rest at its end; a failure is a warning."""
    with open_append(spec.folder / LOG) as log:
        log.truncate(0)
        command = [sys.executable, "-m", "searchspace.tracking", str(spec.folder), "--follow"]
        environment = os.environ | ({STORAGE: whole_url(spec.storage)} if spec.storage else {})
        uploader = subprocess.Popen(  # noqa: S603  # this program
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, start_new_session=True
        )
    try:
        yield
    finally:
        if uploader.stdin is not None:
            uploader.stdin.close()  # its word to upload what is left and end
    again = f"python -m searchspace.tracking {shlex.quote(spec.home.url or str(spec.folder))}"
    try:
        if uploader.wait(timeout=PATIENCE) != 0:
            why = _last_error(spec.folder / LOG) or f"see {spec.folder / LOG}"
            say(f"warning: MLflow has not got everything: {why}; then {again}")
    except subprocess.TimeoutExpired:
        uploader.kill()
        say(f"warning: MLflow is too slow, gave up after {PATIENCE:.0f} s; {again}")


def _last_error(log: Path) -> str:
    """The line that the upload ended with, if it is one for users."""
    last = next(reversed(read_file(log).decode(errors="replace").strip().splitlines()), "")
    return last.removeprefix(ERROR) if last.startswith(ERROR) else ""


def is_over() -> bool:
    """Wait for the next look; whether the search that this process was started by is over."""
    return bool(select.select([sys.stdin], [], [], PERIOD)[0])
