"""The plan: everything a search needs to know besides its specification, checked before any worker starts."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchspace import preflight
from searchspace.spec import SearchSpec

if TYPE_CHECKING:
    from searchspace.spaces import Space, Task
    from searchspace.spec import SamplerName
    from searchspace.stopping.rule import Rule
    from trainables.data.summary import DataSummary
    from trainables.gang import GangPool
    from trainables.mailbox import GangInfo
    from trainables.shape import GangShape

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What the preflight found: all that the search needs to know besides its specification."""

    data: "DataSummary"
    task: "Task"
    space: "Space"
    sampler: "SamplerName"
    rule: "Rule"
    shape: "GangShape"

    @property
    def facts(self) -> dict[str, Any]:
        """What `search.json` keeps of it."""
        gangs = self.shape.model_dump()
        return {"data": self.data.model_dump(), "models": self.task.models, "sampler": self.sampler, "gangs": gangs}


def make_plan(
    spec: SearchSpec, data: "DataSummary", resources: Mapping[str, float], say: Say, latencies: Mapping[int, float]
) -> Plan:
    """Check everything against the cluster's `resources`; raises `UserError` for what cannot work.

    `latencies`, by trial, are what a second objective is ranked by; they need not be there yet.
    """
    from searchspace.pareto import by_front
    from searchspace.sampling.samplers import suiting
    from searchspace.stopping.registry import make_rule
    from searchspace.stopping.rung import by_merit, rungs
    from trainables.shape import GangShape

    slots, gpus = preflight.count_slots(spec, resources)
    models = preflight.choose_models(spec, gpus > 0, say)
    task = preflight.make_task(data, models, gpus > 0, spec.metric)
    space, drawn = preflight.check_space(spec, task)
    sampler = suiting(drawn, spec.trials) if spec.sampler == "auto" else spec.sampler
    levels = rungs(spec.grace_epochs, spec.reduction_factor, spec.max_epochs)
    order = by_front(latencies) if "latency" in spec.objectives else by_merit
    rule = make_rule(spec.scheduler, spec.budget_unit, levels, spec.reduction_factor, order)
    shape = GangShape(
        slots=slots, workers=spec.workers_per_trial, cpus=spec.cpus_per_worker, gpus=gpus,
        precision=spec.precision, memory_gb=spec.memory_gb,
    )  # fmt: skip
    return Plan(data, task, space, sampler, rule, shape)


@contextmanager
def gangs(plan: Plan, folder: Path, when_warm: Callable[[int, "GangInfo"], None]) -> Iterator["GangPool"]:
    """Gangs for a plan, sent home at the end; `when_warm` hears, from a thread, of each that can train."""
    from trainables.gang import GangPool

    pool = GangPool(plan.shape, plan.data, folder / "gangs", when_warm)
    try:
        yield pool
    finally:
        pool.close()
        shutil.rmtree(folder / "gangs", ignore_errors=True)
