"""The seconds that an export has: what does not fit is left out, and said."""

import math
import time
from collections.abc import Callable

from trainables.export.exported_files import Format

BUDGET_SPENT = "the budget was spent"
"""Why something was left out."""
BY_PRIORITY: tuple[Format, ...] = ("onnx", "onnx-int8", "pt2", "pt2-half")
"""Formats in the order in which they are written."""
WRITING_S = 8.0
"""Seconds to trace a network and start the process that measures its file, about."""
BENCHMARK_IMAGES, INT8_IMAGES = 100, 1_000
"""Images whose time the measuring of a file takes, and the ranges and the accuracy of INT8, about."""


class BudgetSpentError(RuntimeError):
    """A part of an export that would not end within its seconds."""

    def __init__(self) -> None:
        """Say why."""
        super().__init__(BUDGET_SPENT)


class ExportClock:
    """Counts down from the seconds that an export may take; without a budget they are infinite."""

    def __init__(self, seconds: float = math.inf, now: Callable[[], float] = time.perf_counter) -> None:
        """Start it."""
        self._now = now
        self._end = now() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left, at least 0."""
        return max(0.0, self._end - self._now())

    def check(self, seconds: float) -> None:
        """Raise `BudgetSpentError` where a part that takes `seconds` would not end in time."""
        if seconds > self.left:
            raise BudgetSpentError

    def share(self, part: float, most: float) -> float:
        """Seconds for a part of what is left, at most `most`."""
        return min(most, part * self.left)


def least_seconds(name: Format, images: int, seconds: float) -> float:
    """Seconds that a format takes at least, for a check on so many `images`, of which PyTorch takes `seconds` each."""
    return WRITING_S + seconds * (images + BENCHMARK_IMAGES + (INT8_IMAGES if name == "onnx-int8" else 0))
