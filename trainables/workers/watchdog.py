"""A watchdog over a worker's training thread: a step that takes far too long counts as a hang."""

import os
import threading
import time
from collections.abc import Callable

HANG_VARIABLE = "SEARCHSPACE_HANG_SECONDS"
"""Environment variable: least seconds without a step after which a worker counts as hung."""
LEAST_LIMIT_S = 120.0
"""Its default, which includes a step that reads a cold disk or chooses a kernel."""
LIMIT_FACTOR = 20.0
"""A step may take this many times the longest step so far, if that is more."""
SETUP_LIMIT_S = 4 * 3600.0
"""Seconds until a trial's first step, before which weights, features and kernels are made."""
CHECK_PERIOD_S = 1.0
"""Seconds between two checks."""


def step_limit(longest: float, floor: float = LEAST_LIMIT_S) -> float:
    """Seconds that a step may take, when the longest so far took `longest`; 0 before the first."""
    return max(SETUP_LIMIT_S, floor) if longest <= 0 else max(floor, LIMIT_FACTOR * longest)


def parse_least_limit(text: str | None) -> float:
    """The value of the environment variable; the default where it is unset, or no positive number."""
    try:
        found = float(text or LEAST_LIMIT_S)
    except ValueError:
        return LEAST_LIMIT_S
    return found if 0 < found < float("inf") else LEAST_LIMIT_S


class Watchdog:
    """Watches one thread, which calls `start`, `step` and `pause`.

    Only time in which this process runs counts: a stopped process, or a suspended machine, is no hang.
    """

    def __init__(self, on_hang: Callable[[float], None]) -> None:
        """Call `on_hang`, in a thread of its own, with the seconds since the last step; once."""
        self._on_hang = on_hang
        self._floor = parse_least_limit(os.environ.get(HANG_VARIABLE))
        self._lock = threading.Lock()
        self._watching, self._waited, self._longest, self._last = False, 0.0, 0.0, 0.0
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def start(self) -> None:
        """Begin to watch a trial; the duration of its set-up is not known."""
        with self._lock:
            self._watching, self._waited, self._longest, self._last = True, 0.0, 0.0, 0.0

    def step(self) -> None:
        """Record a step, or the end of a pause."""
        now = time.monotonic()
        with self._lock:
            if self._watching and self._last:
                self._longest = max(self._longest, now - self._last)
            self._watching, self._waited, self._last = True, 0.0, now

    def pause(self) -> None:
        """Stop watching: the thread waits for another process."""
        with self._lock:
            self._watching, self._last = False, 0.0

    def _watch(self) -> None:
        before = time.monotonic()
        while True:
            time.sleep(CHECK_PERIOD_S)
            now = time.monotonic()
            with self._lock:
                self._waited += min(now - before, 2 * CHECK_PERIOD_S)
                hung = self._watching and self._waited > step_limit(self._longest, self._floor)
                waited = self._waited
            before = now
            if hung:
                self._on_hang(waited)
                return
