"""A progress bar that needs only Python's standard library."""

import sys
import time
from types import TracebackType

from trainables.common.escaping import printable

WIDTH = 30
"""Characters of the bar."""
DRAW_INTERVAL_S = 0.1
"""Seconds between two drawings."""


class ProgressBar:
    """One line on standard error that is drawn over itself, where that is a terminal; messages go above it."""

    def __init__(self, what: str, total: int) -> None:
        """Count `total` of `what`."""
        self._what, self._total, self._done = what, total, 0
        self._started, self._due = time.monotonic(), 0.0
        self._shown = sys.stderr.isatty() and total > 1

    def __enter__(self) -> "ProgressBar":
        """Begin."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Clear the line."""
        self._clear()

    def advance(self) -> None:
        """One more is done."""
        self._done += 1
        if self._shown and (time.monotonic() >= self._due or self._done == self._total):
            self._due = time.monotonic() + DRAW_INTERVAL_S
            sys.stderr.write(f"\r{self._line()}\x1b[K")
            sys.stderr.flush()

    def print_above(self, line: str) -> None:
        """Print a message of its own."""
        self._clear()
        print(printable(line), file=sys.stderr, flush=True)

    def _clear(self) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def _line(self) -> str:
        full = WIDTH * self._done // self._total
        rate = self._done / max(time.monotonic() - self._started, 1e-6)
        return f"{'━' * full}{' ' * (WIDTH - full)} {self._done:,}/{self._total:,} {self._what}, {rate:,.0f} a second"
