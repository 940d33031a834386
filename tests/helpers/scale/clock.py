"""A clock that jumps from event to event, and a machine whose threads do one thing after another."""

import heapq
from collections import deque
from collections.abc import Callable
from itertools import count

Then = Callable[[], None]


class Clock:
    """What happens when."""

    def __init__(self) -> None:
        self.now = 0.0
        self._coming: list[tuple[float, int, Then]] = []
        self._order = count()

    def after(self, seconds: float, then: Then) -> None:
        """Let `then` happen so much later; what is due at one time happens in the order it was asked for."""
        heapq.heappush(self._coming, (self.now + seconds, next(self._order), then))

    def run(self) -> None:
        """Until nothing is left to happen."""
        while self._coming:
            self.now, _, then = heapq.heappop(self._coming)
            then()


class Machine:
    """So many cores, and threads that share them; each thread does one job at a time, first come, first served.

    What is asked of no thread is a process of its own, and needs a core only.
    """

    def __init__(self, clock: Clock, cores: int, threads: tuple[str, ...]) -> None:
        self._clock, self._free = clock, cores
        self._jobs: dict[str, deque[tuple[float, Then]]] = {thread: deque() for thread in (*threads, "")}
        self._idle = dict.fromkeys(threads, True)
        self.busy = dict.fromkeys((*threads, ""), 0.0)
        """Seconds that each has worked so far; processes together under an empty name."""

    def ask(self, thread: str, seconds: float, then: Then) -> None:
        """Let `thread` work `seconds`, as soon as it and a core are free, and then `then` happen."""
        self._jobs[thread].append((seconds, then))
        self._begin()

    def _begin(self) -> None:
        for thread, jobs in self._jobs.items():
            while jobs and self._free and self._idle.get(thread, True):
                self._free -= 1
                if thread:
                    self._idle[thread] = False
                self._work(thread, *jobs.popleft())

    def _work(self, thread: str, seconds: float, then: Then) -> None:
        def done() -> None:
            self._free += 1
            if thread:
                self._idle[thread] = True
            self.busy[thread] += seconds
            then()
            self._begin()

        self._clock.after(seconds, done)
