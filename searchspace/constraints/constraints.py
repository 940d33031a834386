"""The gate: architectures are measured untrained, before they cost a trial; what breaks a limit is never trained."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import optuna

from searchspace.cli.options import flag_of
from searchspace.spec import SearchSpec
from searchspace.study.trial_attributes import record_cost
from trainables.config import TrialConfig
from trainables.data.store.data_summary import DataSummary
from trainables.export.benchmark.architecture_cost import (
    Architecture,
    ArchitectureCost,
    Kind,
    MeasureError,
    architecture_of,
)
from trainables.export.benchmark.benchmark_client import Meter


@dataclass(frozen=True)
class Constraint:
    """One option that limits the shipped model."""

    option: str
    """Field of `SearchSpec`."""
    quantity: str
    """Field of `ArchitectureCost`."""
    text: str
    """How a measured value is said."""
    bound: str
    """How the limit is said."""


CONSTRAINTS = (
    Constraint("max_params", "parameters", "{:,} parameters", "{:,}"),
    Constraint("max_size_mb", "size_mb", "size {:.4g} MB", "{:g}"),
    Constraint("max_latency_ms", "latency_ms", "latency {:.4g} ms", "{:g}"),
    Constraint("max_memory_mb", "memory_mb", "memory {:.4g} MB", "{:g}"),
)


def find_violations(spec: SearchSpec, cost: ArchitectureCost) -> list[str]:
    """What of `cost` is more than an option of `spec` allows, such as `latency 12.3 ms is more than --max-...`."""
    broken = []
    for limit in CONSTRAINTS:
        most, found = getattr(spec, limit.option), getattr(cost, limit.quantity)
        if most is not None and found is not None and found > most:
            flag = flag_of(SearchSpec, limit.option)
            broken.append(f"{limit.text.format(found)} is more than {flag} {limit.bound.format(most)}")
    return broken


def describe_cost(spec: SearchSpec, cost: ArchitectureCost) -> str:
    """A measured cost, with the limits that it was held to: `latency 0.42 ms (limit 5), size 0.55 MB`."""
    parts = []
    for limit in CONSTRAINTS:
        most, found = getattr(spec, limit.option), getattr(cost, limit.quantity)
        if found is not None:
            held = f" (limit {limit.bound.format(most)})" if most is not None else ""
            parts.append(limit.text.format(found) + held)
    return ", ".join(parts)


def kinds_to_measure(spec: SearchSpec) -> tuple[Kind, ...]:
    """What to measure for `spec`, the cheapest first; nothing where it neither limits nor asks for latency."""
    kinds: list[Kind] = ["count"] if spec.max_params is not None else []
    limited = [limit.option for limit in CONSTRAINTS if getattr(spec, limit.option) is not None]
    if "latency" in spec.objectives or set(limited) - {"max_params"}:
        kinds.append("run")
    return tuple(kinds)


class ConstraintChecker:
    """Says of a configuration whether its architecture may be trained; close it, it may keep a process."""

    def __init__(self, spec: SearchSpec, data: DataSummary) -> None:
        """Hold architectures for `data` to the limits of `spec`; without any, this does and starts nothing."""
        self._spec, self._data = spec, data
        self._kinds = kinds_to_measure(spec)
        self._meter = Meter()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="gate")
        self._found: dict[Architecture, Future[ArchitectureCost]] = {}
        self.latencies: dict[int, float] = {}

    @property
    def measures(self) -> bool:
        """Whether there is anything to measure."""
        return bool(self._kinds)

    def begin(self, config: TrialConfig) -> None:
        """Begin to measure the architecture of `config` in the background, unless that is done or not needed."""
        architecture = architecture_of(config, self._data)
        if self._kinds and architecture not in self._found:
            self._found[architecture] = self._thread.submit(self._measure, architecture)

    def ready(self, config: TrialConfig) -> bool:
        """Whether `refusal` and `cost` answer at once; begins the measurement."""
        self.begin(config)
        found = self._found.get(architecture_of(config, self._data))
        return found is None or found.done()

    def refusal(self, config: TrialConfig) -> str:
        """Why this configuration must not be trained, on one line; empty if it may."""
        try:
            cost = self._wait(config)
        except MeasureError as error:
            return f"its cost cannot be measured: {error}"
        return "; ".join(find_violations(self._spec, cost)) if cost else ""

    def cost(self, config: TrialConfig) -> ArchitectureCost | None:
        """What the architecture of `config` costs; None where nothing needs to be, or could be, measured."""
        try:
            return self._wait(config)
        except MeasureError:
            return None

    def refuse(self, trial: optuna.Trial, config: TrialConfig) -> str:
        """`refusal`, keeping in the study what the trial's architecture costs."""
        if cost := self.cost(config):
            record_cost(trial, cost)
            self.latencies[trial.number] = cost.latency_ms or 0.0
        return self.refusal(config)

    def parameters(self, config: TrialConfig) -> int:
        """Number of parameters, which is known in milliseconds; raises `MeasureError` if nothing can be built."""
        architecture = architecture_of(config, self._data)
        return self._thread.submit(self._meter.measure, architecture, "count").result().parameters

    def _wait(self, config: TrialConfig) -> ArchitectureCost | None:
        self.begin(config)
        found = self._found.get(architecture_of(config, self._data))
        return found.result() if found else None

    def _measure(self, architecture: Architecture) -> ArchitectureCost:
        """Its cost, as far as it takes to refuse it or to let it through."""
        cost = self._meter.measure(architecture, self._kinds[0])
        for kind in self._kinds[1:]:
            if find_violations(self._spec, cost):
                break
            cost = self._meter.measure(architecture, kind)
        return cost

    def close(self) -> None:
        """End the measuring process; what is being measured is given up."""
        self._meter.close()
        self._thread.shutdown(cancel_futures=True)
