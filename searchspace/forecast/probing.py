"""Times a search space: trains some configurations of each model for some steps, on all gangs at once.

The measurements are cached for later searches of the same data, space, gangs and processor.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna

from searchspace.engine.assignments import derive_seed, probe_assignment
from searchspace.forecast.simulation import TrialCosts
from searchspace.forecast.trial_timing import family_name
from searchspace.sampling.space_file import hash_file
from searchspace.spaces import Space, Task, draw_configs
from searchspace.spec import SearchSpec
from trainables.common.environment import cpu_name
from trainables.config import Assignment, EpochReport, Frozen, TrialConfig
from trainables.custom.register import registered_code
from trainables.storage.cache import cache_folder, read_cached, write_cached
from trainables.training.timing import Timing, read_timing
from trainables.workers.gang_resources import GangResources

if TYPE_CHECKING:
    from searchspace.progress.console_reporter import ConsoleReporter
    from trainables.workers.gang_pool import GangPool

MAX_PROBES, MIN_PROBES = 12, 4
"""Most and fewest configurations of each model that are timed."""
PROBING_S = 30.0
"""Seconds after which no more than `MIN_PROBES` of each model are timed."""
PROBES_PER_SLOT = 4
"""Configurations of each slot that are timed in one batch, so that each runs beside others."""
SHARE_DRAWS, MAX_DRAWS = 64, 256
"""Random draws of a space for the shares of its models; and the most draws, for rare models."""


class Probes(Frozen):
    """Configurations to time."""

    by_model: dict[str, tuple[TrialConfig, ...]]
    """The model's default first, where it has one; then random ones of the space."""
    shares: dict[str, float]
    """Share of each family in random draws of the space."""
    refused: tuple[Timing, ...] = ()
    """Configurations that break a limit, with the reason."""


class Measurements(Frozen):
    """Measurements of a dry run, from which later searches on the same data and machine are forecast."""

    timings: tuple[Timing, ...]
    """Timings of all configurations, also of those that could not be trained."""
    shares: dict[str, float]
    """Share of each family in random draws of the space."""
    start: float
    """Seconds from the command's start until all gangs were warm."""

    @property
    def costs(self) -> TrialCosts:
        """Costs of the configurations that can be trained, by family."""
        by_family: dict[str, list[Timing]] = {}
        for timing in self.timings:
            if not timing.reason:
                by_family.setdefault(family_name(timing.config), []).append(timing)
        return TrialCosts(by_family, self.shares)


def draw_probes(
    space: Space,
    task: Task,
    spec: SearchSpec,
    starts: Sequence[Mapping[str, Any]],
    refusal: Callable[[TrialConfig], str],
) -> Probes:
    """Up to `MAX_PROBES` configurations of each model: those that the search starts with, then draws of the space.

    `refusal` returns why a configuration must not be trained, or an empty string.
    """
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=derive_seed(spec.seed, "probes")))
    for values in starts:
        study.enqueue_trial(dict(values))
    found: dict[str, dict[TrialConfig, None]] = {model: {} for model in task.models}
    counts: dict[str, int] = {}
    drawn = draw_configs(space, study, task, spec.pins, len(starts) + MAX_DRAWS)
    for number, config in enumerate(drawn):
        if number >= len(starts) + SHARE_DRAWS and all(len(configs) >= MAX_PROBES for configs in found.values()):
            break
        found.setdefault(config.model, {})[config] = None
        if number >= len(starts):
            counts[family_name(config)] = counts.get(family_name(config), 0) + 1
    chosen = {model: tuple(configs)[:MAX_PROBES] for model, configs in found.items() if configs}
    reasons = {config: refusal(config) for configs in chosen.values() for config in configs}
    return Probes(
        by_model={model: tuple(c for c in configs if not reasons[c]) for model, configs in chosen.items()},
        refused=tuple(Timing(config=config, reason=reason) for config, reason in reasons.items() if reason),
        shares={family: count / sum(counts.values()) for family, count in counts.items()},
    )


def measure_probes(
    probes: Probes, spec: SearchSpec, pool: "GangPool", folder: Path, reporter: "ConsoleReporter"
) -> Measurements:
    """Time `probes` on the gangs of `pool`, alternating between models, in folders below `folder`."""
    pool.wait_until_ready()  # all gangs, so that each probe runs beside as many others as in a search
    start = reporter.seconds
    queue = list(filter(None, chain.from_iterable(zip_longest(*probes.by_model.values()))))
    least = sum(min(MIN_PROBES, len(configs)) for configs in probes.by_model.values())
    timings: list[Timing] = []
    for batch in _batches(queue, PROBES_PER_SLOT * pool.resources.slots):
        if len(timings) >= least and reporter.seconds - start > PROBING_S:
            break
        tasks = [probe_assignment(spec, folder, len(timings) + n, config) for n, config in enumerate(batch)]
        reports = pool.run_trials(tasks)
        timings += [_timing(task, report) for task, report in zip(tasks, reports, strict=True)]
        reporter.progress("timing configurations", len(timings), len(queue))
    return Measurements(timings=(*timings, *probes.refused), shares=probes.shares, start=start)


def _batches(queue: Sequence[TrialConfig], size: int) -> Iterator[Sequence[TrialConfig]]:
    return (queue[start : start + size] for start in range(0, len(queue), size))


def _timing(task: Assignment, report: EpochReport) -> Timing:
    if report.status != "complete":
        return Timing(config=task.config, reason=report.reason)
    return read_timing(Path(task.folder))


def write_measurements(measured: Measurements, spec: SearchSpec, task: Task, shape: GangResources) -> None:
    """Keep a dry run's measurements for searches of the same data, space, gangs and processor."""
    write_cached(_file(spec, task, shape), measured)


def read_measurements(spec: SearchSpec, task: Task, shape: GangResources) -> Measurements | None:
    """Measurements of a dry run on the same data, space, gangs and processor; None if there was none."""
    return read_cached(_file(spec, task, shape), Measurements)


def _file(spec: SearchSpec, task: Task, shape: GangResources) -> Path:
    """The file for all searches whose trials cost the same; their number and length do not count."""
    code = registered_code().digests or (hash_file(spec.space) if spec.space else "")
    facts = (task.data.fingerprint, task.models, code, spec.space, spec.pins, shape.model_dump(), spec.address)
    key = hashlib.blake2b(repr((*facts, cpu_name(), os.cpu_count())).encode(), digest_size=8).hexdigest()
    return cache_folder() / "forecast" / f"measured-{key}.json"
