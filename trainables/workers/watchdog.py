"""A watchdog over a worker's training thread: a step that takes far too long is a hang, and ends the process."""

import os
import threading
import time
from collections.abc import Callable

HANG_VARIABLE = "SEARCHSPACE_HANG_SECONDS"
"""Environment variable: seconds without a step after which a worker counts as hung at the earliest."""
LEAST_LIMIT_S = 120.0
"""Its default: a step that meets a page of a cold disk, or a kernel that is chosen anew, is no hang."""
LIMIT_FACTOR = 20.0
"""Times the longest step so far that a step may take, where that is more."""
SETUP_LIMIT_S = 4 * 3600.0
"""Seconds until a trial's first step: weights are fetched, features of a whole data set computed, kernels compiled."""
CHECK_PERIOD_S = 1.0
"""Seconds between two looks."""


def step_limit(longest: float, floor: float = LEAST_LIMIT_S) -> float:
    """Seconds that a step may take, when the longest so far took `longest`; 0 before the first."""
    return max(SETUP_LIMIT_S, floor) if longest <= 0 else max(floor, LIMIT_FACTOR * longest)


def parse_least_limit(text: str | None) -> float:
    """The floor that the environment variable asks for; the default where it is unset, or no positive number."""
    try:
        found = float(text or LEAST_LIMIT_S)
    except ValueError:
        return LEAST_LIMIT_S
    return found if 0 < found < float("inf") else LEAST_LIMIT_S


class Watchdog:
    """Watches one thread, which says when it begins, makes a step, and rests.

    Time counts only while this process runs: a process that was stopped, or a machine that slept, did not hang.
    """

    def __init__(self, on_hang: Callable[[float], None]) -> None:
        """Call `on_hang`, in a thread of its own, with the seconds since the last step; once."""
        self._on_hang = on_hang
        self._floor = parse_least_limit(os.environ.get(HANG_VARIABLE))
        self._lock = threading.Lock()
        self._watching, self._waited, self._longest, self._last = False, 0.0, 0.0, 0.0
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def start(self) -> None:
        """A trial begins with its set-up, of which nothing is known."""
        with self._lock:
            self._watching, self._waited, self._longest, self._last = True, 0.0, 0.0, 0.0

    def step(self) -> None:
        """Another step was made, or a rest is over; the time between two steps is what a step takes."""
        now = time.monotonic()
        with self._lock:
            if self._watching and self._last:
                self._longest = max(self._longest, now - self._last)
            self._watching, self._waited, self._last = True, 0.0, now

    def pause(self) -> None:
        """The thread waits for somebody else's word, for as long as it takes."""
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
