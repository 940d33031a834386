"""Measures the phases of a command: which is under way, and what each took."""

import threading
from collections.abc import Callable, Sequence

from searchspace.budget.allowance import Phase

PHASES: Sequence[Phase] = list(Phase)
"""In their order."""


class PhaseStopwatch:
    """Seconds of each phase; the phases of a command follow each other in their order, and may be left out."""

    def __init__(
        self, seconds: Callable[[], float], earlier: float = 0.0, save: Callable[[float], None] = lambda _spent: None
    ) -> None:
        """Count by the clock `seconds`, which began with the command; its preparation is under way.

        Parts of the search before it was resumed took `earlier` seconds. `save` keeps what was spent so far.
        """
        self.seconds, self.earlier, self._save = seconds, earlier, save
        self.phase = Phase.PREPARATION
        self._began, self._saved = 0.0, 0.0
        self._over: dict[Phase, float] = {}
        self._lock = threading.Lock()  # gangs become warm in threads of their own

    @property
    def taken(self) -> dict[Phase, float]:
        """Seconds of each phase so far."""
        return self._over | {self.phase: self.seconds() - self._began}

    @property
    def open(self) -> Sequence[Phase]:
        """The phases that are not over."""
        return PHASES[PHASES.index(self.phase) :]

    def begin(self, phase: Phase) -> bool:
        """Begin a phase, which ends the one before; False where it, or a later one, has begun."""
        with self._lock:
            if phase not in self.open or phase is self.phase:
                return False
            self._over, self._began, self.phase = self.taken, self.seconds(), phase
            return True

    def save_spent(self, interval: float = 0.0) -> None:
        """Keep what was spent so far for a resumption, unless that was done in the last `interval` seconds."""
        if self.seconds() - self._saved >= interval:
            self._saved = self.seconds()
            self._save(self.earlier + self._saved)
