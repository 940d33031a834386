"""Repeated work in a thread beside a search; an iteration that fails is tried again."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar

from trainables.common.retry import Change, Failures, RetryPolicy, after_failure, after_success, wait_after

logger = logging.getLogger(__name__)


class Background:
    """Calls `work` periodically until it is closed; no exception ends the thread.

    The first of several failures is logged at once, and so is that it goes well again. After the policy's patience
    `give_up` is called once. A thread that is gone all the same is logged and replaced at the next `wake`.
    """

    def __init__(
        self,
        what: str,
        work: Callable[[], None],
        policy: RetryPolicy,
        period: float | None = None,
        explain: Callable[[BaseException], str] | None = None,
    ) -> None:
        """Every `period` seconds, or where that is None, when it is woken. `what` is said of it: `cannot upload`."""
        self._what, self._work, self._policy, self._period = what, work, policy, period
        self._explain = explain or describe
        self._give_up: Callable[[BaseException], None] = lambda _error: None
        self._wake, self._over = threading.Event(), threading.Event()
        self._failures = Failures()
        self._error: BaseException | None = None
        self._starting, self._attempting = threading.Lock(), threading.Lock()
        self._thread = self._start()

    @property
    def error(self) -> BaseException | None:
        """Why the last try failed; None where it went well."""
        return self._error

    @property
    def given_up(self) -> bool:
        """Whether the owner was told to give up, and it has not gone well since."""
        return self._failures.given_up

    def when_given_up(self, give_up: Callable[[BaseException], None]) -> None:
        """Call this from now on, once the policy's patience is over."""
        self._give_up = give_up

    def wake(self) -> None:
        """Do the work soon, unless it has just failed and waits for its next try."""
        self._wake.set()
        if not self._thread.is_alive() and not self._over.is_set():
            self._replace()

    def close(self, patience: float | None = None) -> bool:
        """End the thread, once its work under way is done; whether that came within `patience`, in seconds."""
        self._over.set()
        self._wake.set()
        self._thread.join(patience)
        return not self._thread.is_alive()

    def attempt(self) -> bool:
        """Do the work once, from here or the thread; whether it went well. What is wrong is logged, never raised."""
        with self._attempting:
            return self._attempt()

    def _attempt(self) -> bool:
        try:
            self._work()
        except BaseException as error:
            self._error = error
            self._failures, change = after_failure(self._policy, self._failures, time.monotonic())
            if change == Change.FAILED:
                logger.warning(f"{self._what} ({self._explain(error)}); trying again")
            elif change == Change.GIVEN_UP:
                with suppress(Exception):
                    self._give_up(error)
            return False
        lasted = time.monotonic() - self._failures.since
        self._failures, change = after_success(self._failures)
        self._error = None
        if change == Change.RECOVERED:
            logger.info(f"{self._what}: that has passed, after {lasted:.0f} s")
        return True

    def _run(self) -> None:
        while not self._over.is_set():
            failing = wait_after(self._policy, self._failures)
            if failing:
                self._over.wait(failing)
            elif not self._wake.wait(self._period) and self._period is None:
                continue
            self._wake.clear()
            if not self._over.is_set():
                self.attempt()

    def _start(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, name=self._what[:40], daemon=True)
        thread.start()
        return thread

    def _replace(self) -> None:
        with self._starting:
            if not self._thread.is_alive():
                logger.warning(f"{self._what} (its thread was gone); another one goes on")
                self._thread = self._start()


def describe(error: BaseException) -> str:
    """What an error says, on one line of at most 200 characters."""
    line = next(iter(str(error).strip().splitlines()), "")
    known = isinstance(error, OSError) and line
    return (line if known else f"{type(error).__name__}: {line}".rstrip(": "))[:200]


Item = TypeVar("Item")
"""Type of what is returned beside a job's result."""
Result = TypeVar("Result")


def run_ahead(jobs: Iterable[tuple[Item, Future[Result]]], ahead: int) -> Generator[tuple[Item, Result], None, None]:
    """Yield each item with the result of its job, in order; `jobs` submits jobs `ahead` of the one awaited.

    Raises the exception of a job in place of its result.
    """
    coming: deque[tuple[Item, Future[Result]]] = deque()
    for job in jobs:
        coming.append(job)
        if len(coming) > ahead:
            item, future = coming.popleft()
            yield item, future.result()
    while coming:
        item, future = coming.popleft()
        yield item, future.result()
