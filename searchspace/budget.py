"""The time budget of a search, as Ray Tune asks for it."""

import time
from typing import Any

from ray.tune.stopper import Stopper


class TimeBudget(Stopper):
    """Ends a search after so many seconds, by a clock that nobody sets; Tune's own would follow the wall clock."""

    def __init__(self, seconds: float) -> None:
        """Begin to count now."""
        self._end = time.monotonic() + seconds

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:  # noqa: ARG002  # Tune's signature
        """No trial ends by itself."""
        return False

    def stop_all(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() > self._end
