"""The upload process beside a running search: started with it, and given a time limit to finish after it."""

import logging
import os
import select
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from searchspace.spec import SearchSpec
from searchspace.study.database import STORAGE_VARIABLE, url_with_password
from trainables.common.background import Background
from trainables.common.errors import UserError
from trainables.common.retry import FOR_EVER
from trainables.storage.files import open_append, read_file

logger = logging.getLogger(__name__)

UPLOAD_INTERVAL_S = 5.0
"""Seconds between two looks at the study."""
FINAL_UPLOAD_TIMEOUT_S = 120.0
"""Seconds that a finished search waits for the last upload."""
UPLOAD_LOG = "mlflow.log"
MAX_UPLOAD_STARTS = 3
"""Times that the upload is started at most."""
PROCESS_CHECK_INTERVAL_S = 2.0
"""Seconds between two looks at whether it is still there."""
ERROR_PREFIX = "error: "
"""How a command's last line begins that says what was wrong."""


@contextmanager
def tracked(spec: SearchSpec) -> Iterator[None]:
    """Upload to MLflow while the block runs, and wait a while for the rest at its end; a failure is a warning.

    An upload that ends before is said and started again, a few times.
    """
    upload = UploadProcess(spec)
    watch = Background("cannot upload to MLflow", upload.keep_up, FOR_EVER, PROCESS_CHECK_INTERVAL_S)
    watch.attempt()
    try:
        yield
    finally:
        watch.close(FINAL_UPLOAD_TIMEOUT_S)
        upload.finish()


class UploadProcess:
    """The process that uploads."""

    def __init__(self, spec: SearchSpec) -> None:
        """Of a search; starts with the first `keep_up`."""
        self._spec, self._log = spec, spec.folder / UPLOAD_LOG
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0

    def keep_up(self) -> None:
        """Start it, or start it again if it has ended; raises OSError where that cannot be."""
        if self._process is not None and self._process.poll() is None:
            return
        if self._starts == MAX_UPLOAD_STARTS:
            return
        if self._process is not None:
            logger.warning(f"the upload to MLflow ended ({self._why()}); it is started again")
            if self._process.stdin is not None:
                self._process.stdin.close()
        self._start()

    def _start(self) -> None:
        command = [sys.executable, "-m", "searchspace.tracking", str(self._spec.folder), "--follow"]
        environment = os.environ | (
            {STORAGE_VARIABLE: url_with_password(self._spec.storage)} if self._spec.storage else {}
        )
        with open_append(self._log) as log:
            if not self._starts:
                log.truncate(0)
            self._process = subprocess.Popen(  # noqa: S603  # this program
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        self._starts += 1

    def finish(self) -> None:
        """Let it upload what is left, and wait for that; what cannot be is said."""
        again = f"searchspace track {shlex.quote(self._spec.home.url or str(self._spec.folder))}"
        if self._process is None:
            logger.warning(f"MLflow has got nothing; then {again}")
            return
        if self._process.stdin is not None:
            self._process.stdin.close()  # its word to upload what is left and end
        try:
            if self._process.wait(timeout=FINAL_UPLOAD_TIMEOUT_S) != 0:
                logger.warning(f"MLflow has not got everything: {self._why()}; then {again}")
        except subprocess.TimeoutExpired:
            self._process.kill()
            logger.warning(f"MLflow is too slow, gave up after {FINAL_UPLOAD_TIMEOUT_S:.0f} s; {again}")

    def _why(self) -> str:
        with suppress(OSError, UserError):
            return _last_error(self._log) or f"see {self._log}"
        return f"see {self._log}"


def _last_error(log: Path) -> str:
    """The line that the upload ended with, if it is one for users."""
    last = next(reversed(read_file(log).decode(errors="replace").strip().splitlines()), "")
    return last.removeprefix(ERROR_PREFIX) if last.startswith(ERROR_PREFIX) else ""


def wait_for_end() -> bool:
    """Wait for the next look; whether the search that this process was started by is over."""
    return bool(select.select([sys.stdin], [], [], UPLOAD_INTERVAL_S)[0])
