"""Work done ahead of its use: in order, and never more than a few pieces of it."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future
from typing import TypeVar

Item = TypeVar("Item")
"""Whatever is to be handed back beside its result."""
Result = TypeVar("Result")


def in_turn(jobs: Iterable[tuple[Item, Future[Result]]], ahead: int) -> Generator[tuple[Item, Result], None, None]:
    """Each item with its result, in order; `jobs` submits one when asked for it, `ahead` before it is its turn.

    Raises what a job raised, in its turn.
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
