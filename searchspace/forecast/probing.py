"""Timing a space: some configurations of each model, on the gangs that would train them, all gangs at once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna

from searchspace.engine.assignments import probe_assignment
from searchspace.engine.seeds import derive_seed
from searchspace.forecast.simulation import TrialCosts
from searchspace.spaces import Space, Task, draw_configs
from searchspace.spec import SearchSpec
from trainables.config import Assignment, EpochReport, Frozen, TrialConfig
from trainables.training.timing import Timing, read_timing

if TYPE_CHECKING:
    from searchspace.progress.console_reporter import Clock
    from trainables.workers.gang_pool import GangPool

MAX_PROBES, MIN_PROBES = 12, 4
"""Configurations of each model that are timed: so many where that is quick, and so many in any case."""
PROBING_S = 30.0
"""Seconds after which no more than `MIN_PROBES` are timed."""
PROBES_PER_SLOT = 4
"""Configurations of each slot that are timed without a pause, so that none is timed alone."""
SHARE_DRAWS, MAX_DRAWS = 64, 256
"""Random draws of a space for the shares of its models; and at most, for a model that it seldom draws."""


class Probes(Frozen):
    """Configurations to time."""

    by_model: dict[str, tuple[TrialConfig, ...]]
    """The model's default first, where it has one; then random ones of the space."""
    shares: dict[str, float]
    """How often a random draw of the space is of each model."""
    refused: tuple[Timing, ...] = ()
    """Those that a limit forbids, with their reasons."""


class Measurements(Frozen):
    """What a dry run found out, and what a later search on the same data and machine is forecast from."""

    timings: tuple[Timing, ...]
    """Of every configuration that was timed, or could not be trained."""
    shares: dict[str, float]
    """How often a random draw of the space is of each model."""
    start: float
    """Seconds from the command's start until all gangs were warm."""

    @property
    def costs(self) -> TrialCosts:
        """What can be trained, by model."""
        able = [timing for timing in self.timings if not timing.reason]
        models = dict.fromkeys(timing.config.model for timing in able)
        return TrialCosts({model: [t for t in able if t.config.model == model] for model in models}, self.shares)


def draw_probes(
    space: Space,
    task: Task,
    spec: SearchSpec,
    starts: Sequence[Mapping[str, Any]],
    refusal: Callable[[TrialConfig], str],
) -> Probes:
    """Up to `MAX_PROBES` configurations of each model: those that the search starts with, then draws of the space.

    `refusal` says why one must not be trained, or nothing.
    """
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=derive_seed(spec.seed, "probes")))
    for values in starts:
        study.enqueue_trial(dict(values))
    found: dict[str, dict[TrialConfig, None]] = {model: {} for model in task.models}
    counts = dict.fromkeys(task.models, 0)
    drawn = draw_configs(space, study, task, spec.pins, len(starts) + MAX_DRAWS)
    for number, config in enumerate(drawn):
        if number >= len(starts) + SHARE_DRAWS and all(len(configs) >= MAX_PROBES for configs in found.values()):
            break
        found.setdefault(config.model, {})[config] = None
        if number >= len(starts):
            counts[config.model] = counts.get(config.model, 0) + 1
    chosen = {model: tuple(configs)[:MAX_PROBES] for model, configs in found.items() if configs}
    reasons = {config: refusal(config) for configs in chosen.values() for config in configs}
    return Probes(
        by_model={model: tuple(c for c in configs if not reasons[c]) for model, configs in chosen.items()},
        refused=tuple(Timing(config=config, reason=reason) for config, reason in reasons.items() if reason),
        shares={model: count / sum(counts.values()) for model, count in counts.items()},
    )


def measure_probes(probes: Probes, spec: SearchSpec, pool: "GangPool", folder: Path, clock: "Clock") -> Measurements:
    """Time `probes` on the gangs of `pool`, in turns of models, in folders under `folder`."""
    pool.ready()  # all at once, so that each is timed beside as many others as in a search
    start = clock.seconds
    queue = list(filter(None, chain.from_iterable(zip_longest(*probes.by_model.values()))))
    least = sum(min(MIN_PROBES, len(configs)) for configs in probes.by_model.values())
    timings: list[Timing] = []
    for batch in _batches(queue, PROBES_PER_SLOT * pool.shape.slots):
        if len(timings) >= least and clock.seconds - start > PROBING_S:
            break
        tasks = [probe_assignment(spec, folder, len(timings) + n, config) for n, config in enumerate(batch)]
        reports = pool.train(tasks)
        timings += [_timing(task, report) for task, report in zip(tasks, reports, strict=True)]
        clock.step("timing configurations", len(timings), len(queue))
    return Measurements(timings=(*timings, *probes.refused), shares=probes.shares, start=start)


def _batches(queue: Sequence[TrialConfig], size: int) -> Iterator[Sequence[TrialConfig]]:
    return (queue[start : start + size] for start in range(0, len(queue), size))


def _timing(task: Assignment, report: EpochReport) -> Timing:
    if report.status != "complete":
        return Timing(config=task.config, reason=report.reason)
    return read_timing(Path(task.folder))
