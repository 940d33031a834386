"""Durations of test, export and report, cached for later searches on this machine."""

from pathlib import Path
from statistics import fmean

from pydantic import RootModel

from trainables.config import Finite
from trainables.storage.cache import cache_folder, read_cached, write_cached


class ClosingTimes(Finite):
    """What followed a winner's training: seconds of its test, export and report."""

    test_image_seconds: float
    """Seconds of the test, divided by its images."""
    export: float
    """Seconds of files, parity checks and measurements, of the winner and its student."""
    report: float
    """Seconds of report and model card."""

    def total(self, images: int) -> float:
        """Seconds of all of them, for so many test images."""
        return self.test_image_seconds * images + self.export + self.report


DEFAULT_CLOSING = ClosingTimes(test_image_seconds=0.005, export=15.0, report=3.0)
"""Assumed where no search has completed on this machine."""


class KnownClosings(RootModel[dict[str, ClosingTimes]]):
    """Newest closing times, by model."""


def write_closing_times(model: str, found: ClosingTimes) -> None:
    """Keep what followed the training of a winner of this model."""
    write_cached(_closings(), KnownClosings(_read_closings() | {model: found}))


def read_closing_times(model: str = "") -> ClosingTimes:
    """Newest closing times of this model, else the means over all models, else `DEFAULT_CLOSING`."""
    found = _read_closings()
    if model in found or not found:
        return found.get(model, DEFAULT_CLOSING)
    known = [each.model_dump() for each in found.values()]
    return ClosingTimes(**{name: fmean(each[name] for each in known) for name in ClosingTimes.model_fields})


def _closings() -> Path:
    return cache_folder() / "forecast" / "closing-times.json"


def _read_closings() -> dict[str, ClosingTimes]:
    found = read_cached(_closings(), KnownClosings)
    return found.root if found else {}
