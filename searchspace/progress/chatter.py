"""What libraries print goes to a file: Ray's notes and warnings are for whoever looks for a cause."""

import os
import sys
from pathlib import Path

from trainables.files import open_append

STREAMS = (1, 2)
"""Descriptors of standard output and error, which code in C++ writes to as well."""


class Chatter:
    """Sends this process's standard output and error to a file; Python's own `print` goes where it went before."""

    def __init__(self, log: Path) -> None:
        """Append to `log` from here on, until `close`."""
        sys.stdout.flush()
        sys.stderr.flush()
        self._before = {number: os.dup(number) for number in STREAMS}
        self._stdout = sys.stdout
        with open_append(log) as file:
            for number in STREAMS:
                os.dup2(file.fileno(), number)
        if _descriptor(sys.stdout) == 1:
            sys.stdout = os.fdopen(
                os.dup(self._before[1]), "w", buffering=1, encoding=self._stdout.encoding, errors="backslashreplace"
            )

    def close(self) -> None:
        """Give both streams back."""
        sys.stdout.flush()
        sys.stderr.flush()
        if sys.stdout is not self._stdout:
            sys.stdout.close()
            sys.stdout = self._stdout
        for number, before in self._before.items():
            os.dup2(before, number)
            os.close(before)


def _descriptor(stream: object) -> int | None:
    try:
        return int(stream.fileno())  # type: ignore[attr-defined]  # a stream that has none is somebody's in memory
    except (AttributeError, OSError, ValueError):
        return None
