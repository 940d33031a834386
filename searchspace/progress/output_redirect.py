"""Redirects the output of libraries to a log file, where it helps to find the cause of an error."""

import os
import sys
from pathlib import Path
from typing import TextIO

from searchspace.cli.surviving_stream import SurvivingStream
from trainables.storage.files import open_append

STREAMS = (1, 2)
"""Descriptors of standard output and error, which code in C++ writes to as well."""


class OutputRedirect:
    """Sends this process's standard output and error to a file; Python's own `print` goes where it went before."""

    def __init__(self, log: Path) -> None:
        """Append to `log` from here on, until `close`; raises OSError or `DamagedError` where it cannot be opened."""
        with open_append(log) as file:
            sys.stdout.flush()
            sys.stderr.flush()
            self._before = {number: os.dup(number) for number in STREAMS}
            self._stdout = sys.stdout
            for number in STREAMS:
                os.dup2(file.fileno(), number)
        self._own: TextIO | None = None
        if _descriptor(sys.stdout) == 1:
            self._own = self._redirect()

    @property
    def descriptor(self) -> int:
        """Of the standard output that there was before."""
        return self._before[1]

    def close(self) -> None:
        """Give both streams back."""
        sys.stdout.flush()
        sys.stderr.flush()
        for number, before in self._before.items():
            os.dup2(before, number)
            os.close(before)
        if self._own is not None:
            self._give_back(self._own)

    def _redirect(self) -> TextIO:
        own = os.fdopen(
            os.dup(self._before[1]), "w", buffering=1, encoding=self._stdout.encoding, errors="backslashreplace"
        )
        if isinstance(self._stdout, SurvivingStream):
            self._target = self._stdout.target
            self._stdout.retarget(own)
        else:
            sys.stdout = own
        return own

    def _give_back(self, own: TextIO) -> None:
        if isinstance(self._stdout, SurvivingStream):
            self._stdout.retarget(self._target)
        else:
            sys.stdout = self._stdout
        own.close()


def _descriptor(stream: object) -> int | None:
    try:
        return int(stream.fileno())  # type: ignore[attr-defined]  # a stream that has none is somebody's in memory
    except (AttributeError, OSError, ValueError):
        return None
