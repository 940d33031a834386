"""Times cached for later searches: a dry run's measurements, and durations of test and export."""

import hashlib
import os
from pathlib import Path

from pydantic import RootModel

from searchspace.forecast.probing import Measurements
from searchspace.spaces import Task
from searchspace.spec import SearchSpec
from trainables.common.environment import cpu_name
from trainables.storage.cache import cache_folder, read_cached, write_cached
from trainables.workers.gang_resources import GangResources

DEFAULT_CLOSING_S = 10.0
"""Assumed duration of test and export where no search has completed on this machine."""


class ClosingTimes(RootModel[dict[str, float]]):
    """Newest duration of test and export in seconds, by model."""


def write_measurements(measured: Measurements, spec: SearchSpec, task: Task, shape: GangResources) -> None:
    """Keep a dry run's measurements for searches of the same data, space, gangs and processor."""
    write_cached(_file(spec, task, shape), measured)


def read_measurements(spec: SearchSpec, task: Task, shape: GangResources) -> Measurements | None:
    """Measurements of a dry run on the same data, space, gangs and processor; None if there was none."""
    return read_cached(_file(spec, task, shape), Measurements)


def write_closing_time(model: str, seconds: float) -> None:
    """Keep the duration of a winner's test and export."""
    write_cached(_closings(), ClosingTimes(_read_closings() | {model: seconds}))


def read_closing_time(model: str = "") -> float:
    """Newest duration of test and export for this model, else the mean over all, else `DEFAULT_CLOSING_S`."""
    found = _read_closings()
    return found.get(model, sum(found.values()) / len(found) if found else DEFAULT_CLOSING_S)


def _file(spec: SearchSpec, task: Task, shape: GangResources) -> Path:
    """The file for all searches whose trials cost the same; their number and length do not count."""
    source = Path(spec.space.rpartition(":")[0])
    space = source.read_text() if spec.space else ""
    facts = (task.data.fingerprint, task.models, space, spec.space, spec.pins, shape.model_dump(), spec.address)
    key = hashlib.blake2b(repr((*facts, cpu_name(), os.cpu_count())).encode(), digest_size=8).hexdigest()
    return cache_folder() / "forecast" / f"measured-{key}.json"


def _closings() -> Path:
    return cache_folder() / "forecast" / "closing.json"


def _read_closings() -> dict[str, float]:
    found = read_cached(_closings(), ClosingTimes)
    return found.root if found else {}
