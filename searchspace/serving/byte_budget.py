"""Budgets of bytes: requests and decodes that do not fit wait in order, and are refused after a time limit.

Memory that is freed goes back to the system, rather than into a heap that keeps its largest size.
"""

import asyncio
import ctypes
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from searchspace.serving.access import RequestError
from trainables.data.decoding.decode_cost import DecodeCost

BUDGET_TIMEOUT_S = 30.0
"""Seconds that a request waits to be let in."""


@dataclass
class QueuedRequest:
    """A request that waits to be let in."""

    peer: str
    size: int
    """Bytes."""
    turn: "asyncio.Future[None]"


class RequestBudget:
    """The bytes of requests that are held, from their arrival to their answer.

    Peers have their turns in the order in which they came. Of those that wait from one peer the smallest is first, so
    that large requests which never arrive whole cannot keep its small ones waiting for their 30 s.
    Of what one peer holds, no more than `share` counts against the others, so that it cannot keep them all out.
    """

    def __init__(self, total: int, share: int) -> None:
        """At most `total` bytes, and `share` of one peer."""
        self._total, self._share = total, share
        self._held: Counter[str] = Counter()
        self._waiting: deque[QueuedRequest] = deque()

    @property
    def contended(self) -> bool:
        """Whether any request waits."""
        return bool(self._waiting)

    async def enter(self, peer: str, size: int) -> None:
        """Hold so many bytes, once they fit, until `leave`; raises `Refused` where that takes too long."""
        if not self._waiting and self._fits(peer, size) and self._held.total() + size <= self._total:
            self._held[peer] += size
            return
        asked = QueuedRequest(peer, size, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        self._admit()
        try:
            await asyncio.wait_for(asyncio.shield(asked.turn), BUDGET_TIMEOUT_S)
        except BaseException as error:
            if asked.turn.done() and not asked.turn.cancelled():  # let in at the very moment
                self.leave(peer, size)
            else:
                self._waiting.remove(asked)
                self._admit()
            if isinstance(error, TimeoutError):
                raise RequestError(503, "too many bytes are on their way; try again later") from error
            raise

    def leave(self, peer: str, size: int) -> None:
        """Hold them no more."""
        self._held[peer] -= size
        if not self._held[peer]:
            del self._held[peer]
        if self._waiting:
            self._admit()

    def _fits(self, peer: str, size: int) -> bool:
        """Whether a peer's share has room."""
        return self._held.get(peer, 0) + size <= self._share

    def _admit(self) -> None:
        """Admit requests in order while the total has room; a peer whose share is full does not block others."""
        for asked in self._order():
            if not self._fits(asked.peer, asked.size):
                continue
            if self._held.total() + asked.size > self._total:
                return
            self._held[asked.peer] += asked.size
            self._waiting.remove(asked)
            asked.turn.set_result(None)

    def _order(self) -> list[QueuedRequest]:
        """Those that wait, in the order of their turns: each turn of a peer goes to its smallest without one."""
        by_size: defaultdict[str, deque[QueuedRequest]] = defaultdict(deque)
        for asked in sorted(self._waiting, key=lambda asked: asked.size):  # of equals the first that came
            by_size[asked.peer].append(asked)
        return [by_size[asked.peer].popleft() for asked in self._waiting]


class DecodeBudget:
    """The memory of images that are decoded, by threads that wait for their turns in the order in which they came."""

    def __init__(self, total: int) -> None:
        """At most `total` bytes."""
        self._total, self._free = total, total
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()

    @contextmanager
    def hold(self, cost: DecodeCost) -> Iterator[None]:
        """Hold what an image takes, once it fits; what takes more than there is, or is to be alone, takes all."""
        size = self._total if cost.exclusive else min(cost.memory, self._total)
        with self._changed:
            turn = object()
            self._waiting.append(turn)
            self._changed.wait_for(lambda: self._waiting[0] is turn and self._free >= size)
            self._waiting.popleft()
            self._free -= size
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += size
                self._changed.notify_all()


MMAP_THRESHOLD = -3
"""Of glibc's `mallopt`."""
RETURNED_ALLOCATION_BYTES = 1_000_000
"""Bytes of an allocation that is a mapping of its own, from which it is returned when it is freed."""


def return_freed_memory() -> None:
    """Give large allocations of this process back once they are freed; does nothing without glibc.

    Left to itself, glibc raises the size from which it does so up to 32 MB as such allocations come and go.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(MMAP_THRESHOLD, RETURNED_ALLOCATION_BYTES)
