"""The constraints: each architecture is measured before training; one that exceeds a limit is not trained."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import optuna

from searchspace.cli.options import flag_of
from searchspace.spec import SearchSpec
from searchspace.study.refusals import Refusal, RefusalReason
from searchspace.study.trial_attributes import record_cost
from trainables.config import TrialConfig
from trainables.data.store.data_summary import DataSummary
from trainables.export.benchmark.architecture_cost import (
    Architecture,
    ArchitectureCost,
    BenchmarkError,
    CostKind,
    architecture_of,
)
from trainables.export.benchmark.benchmark_client import BenchmarkClient


@dataclass(frozen=True)
class Constraint:
    """One option that limits the exported model."""

    option: str
    """Field of `SearchSpec`."""
    quantity: str
    """Field of `ArchitectureCost`."""
    text: str
    """Format of a measured value."""
    bound: str
    """Format of the limit."""


CONSTRAINTS = (
    Constraint("max_params", "parameters", "{:,} parameters", "{:,}"),
    Constraint("max_size_mb", "size_mb", "size {:.4g} MB", "{:g}"),
    Constraint("max_latency_ms", "latency_ms", "latency {:.4g} ms", "{:g}"),
    Constraint("max_memory_mb", "memory_mb", "memory {:.4g} MB", "{:g}"),
)


def find_violations(spec: SearchSpec, cost: ArchitectureCost) -> list[str]:
    """A text for each limit of `spec` that `cost` breaks, such as `latency 12.3 ms is more than --max-...`."""
    broken = []
    for limit in CONSTRAINTS:
        most, found = getattr(spec, limit.option), getattr(cost, limit.quantity)
        if most is not None and found is not None and found > most:
            flag = flag_of(SearchSpec, limit.option)
            broken.append(f"{limit.text.format(found)} is more than {flag} {limit.bound.format(most)}")
    return broken


def describe_cost(spec: SearchSpec, cost: ArchitectureCost) -> str:
    """A measured cost with the limits that apply: `latency 0.42 ms (limit 5), size 0.55 MB`."""
    parts = []
    for limit in CONSTRAINTS:
        most, found = getattr(spec, limit.option), getattr(cost, limit.quantity)
        if found is not None:
            held = f" (limit {limit.bound.format(most)})" if most is not None else ""
            parts.append(limit.text.format(found) + held)
    return ", ".join(parts)


def kinds_to_measure(spec: SearchSpec) -> tuple[CostKind, ...]:
    """Measurements that `spec` needs, the cheapest first; empty where it has no limit and no latency objective."""
    kinds: list[CostKind] = ["count"] if spec.max_params is not None else []
    limited = [limit.option for limit in CONSTRAINTS if getattr(spec, limit.option) is not None]
    if "latency" in spec.objectives or set(limited) - {"max_params"}:
        kinds.append("run")
    return tuple(kinds)


class ConstraintChecker:
    """Checks configurations against the limits; call `close`, as it may keep a process."""

    def __init__(self, spec: SearchSpec, data: DataSummary) -> None:
        """Check architectures for `data` against the limits of `spec`; without limits, nothing is started."""
        self._spec, self._data = spec, data
        self._kinds = kinds_to_measure(spec)
        self._client = BenchmarkClient()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="constraints")
        self._found: dict[Architecture, Future[ArchitectureCost]] = {}
        self.latencies: dict[int, float] = {}

    @property
    def measures(self) -> bool:
        """Whether anything has to be measured."""
        return bool(self._kinds)

    def begin(self, config: TrialConfig) -> None:
        """Start to measure the architecture of `config` in the background, unless that is done or not needed."""
        architecture = architecture_of(config, self._data)
        if self._kinds and architecture not in self._found:
            self._found[architecture] = self._thread.submit(self._measure, architecture)

    def ready(self, config: TrialConfig) -> bool:
        """Whether `refusal` and `cost` return at once; starts the measurement."""
        self.begin(config)
        found = self._found.get(architecture_of(config, self._data))
        return found is None or found.done()

    def refusal(self, config: TrialConfig) -> str:
        """Why this configuration must not be trained, on one line; empty if it may be."""
        try:
            cost = self._wait(config)
        except BenchmarkError as error:
            return f"its cost cannot be measured: {error}"
        return "; ".join(find_violations(self._spec, cost)) if cost else ""

    def cost(self, config: TrialConfig) -> ArchitectureCost | None:
        """Cost of the architecture of `config`; None where no measurement is needed or possible."""
        try:
            return self._wait(config)
        except BenchmarkError:
            return None

    def refuse(self, trial: optuna.Trial, config: TrialConfig) -> Refusal | None:
        """`refusal`, keeping in the study what the trial's architecture costs; None where it may be trained."""
        if cost := self.cost(config):
            record_cost(trial, cost)
            self.latencies[trial.number] = cost.latency_ms or 0.0
        text = self.refusal(config)
        return Refusal(reason=RefusalReason.CONSTRAINT, text=text) if text else None

    def parameters(self, config: TrialConfig) -> int:
        """Number of parameters, within milliseconds; raises `BenchmarkError` if the network cannot be built."""
        architecture = architecture_of(config, self._data)
        return self._thread.submit(self._client.measure, architecture, "count").result().parameters

    def _wait(self, config: TrialConfig) -> ArchitectureCost | None:
        self.begin(config)
        found = self._found.get(architecture_of(config, self._data))
        return found.result() if found else None

    def _measure(self, architecture: Architecture) -> ArchitectureCost:
        """Its cost, measured until a limit is broken or all limits are checked."""
        cost = self._client.measure(architecture, self._kinds[0])
        for kind in self._kinds[1:]:
            if find_violations(self._spec, cost):
                break
            cost = self._client.measure(architecture, kind)
        return cost

    def close(self) -> None:
        """Stop the measuring process and its current measurement."""
        self._client.close()
        self._thread.shutdown(cancel_futures=True)
