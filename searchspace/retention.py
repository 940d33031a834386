"""How much of the stopped trials' checkpoints stays on disk: the best of them, within a budget."""

import shutil
from pathlib import Path

from trainables.config import EpochReport


class Shelf:
    """The checkpoints of trials that wait, or were stopped; one that is gone is trained anew if it is wanted."""

    def __init__(self, gigabytes: float) -> None:
        """Hold that many GB (10^9 bytes)."""
        self._budget = gigabytes * 1e9
        self._sizes: dict[Path, int] = {}
        self._places: dict[Path, tuple[int, float]] = {}

    def put(self, trial: Path, report: EpochReport) -> list[Path]:
        """Keep the checkpoint in a trial's folder; returns the folders whose checkpoints were deleted to make room."""
        self._sizes[trial] = sum(file.stat().st_size for file in (trial / "checkpoints").glob("*"))
        self._places[trial] = (report.epoch, report.merit)
        gone = []
        for worst in sorted(self._sizes, key=lambda folder: self._places[folder]):
            if sum(self._sizes.values()) <= self._budget:
                break
            shutil.rmtree(worst / "checkpoints", ignore_errors=True)
            del self._sizes[worst]
            gone.append(worst)
        return gone

    def take(self, trial: Path) -> None:
        """A trial goes on: its checkpoint is in use, and not to be deleted."""
        self._sizes.pop(trial, None)
