"""The plan: everything a search needs to know besides its specification, checked before any worker starts."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from searchspace.cli.interruption import Interruption
from searchspace.cluster.placement import place
from searchspace.preparation import preflight
from searchspace.spec import SearchSpec
from trainables.storage.folders import remove_tree

if TYPE_CHECKING:
    from searchspace.cluster.placement import Room
    from searchspace.spaces import Space, Task
    from searchspace.spec import SamplerName
    from searchspace.stopping.rule import StoppingRule
    from trainables.data.store.data_summary import DataSummary
    from trainables.storage.folder_sync import FolderSync
    from trainables.workers.gang_pool import GangPool
    from trainables.workers.gang_resources import GangShape
    from trainables.workers.slot_state import GangInfo

logger = logging.getLogger(__name__)

PATIENCE = 20.0
"""Seconds that the end of a search waits for its gangs."""
SAVING = 60.0
"""Seconds that an interrupted one waits, for an epoch that has begun; without it, an older checkpoint counts."""


@dataclass(frozen=True)
class Plan:
    """What the preflight found: all that the search needs to know besides its specification."""

    data: "DataSummary"
    task: "Task"
    space: "Space"
    sampler: "SamplerName"
    new_rule: Callable[[], "StoppingRule"]
    """Makes the early-stopping rule, which knows of no trial yet."""
    shape: "GangShape"

    @property
    def facts(self) -> dict[str, Any]:
        """What `search.json` keeps of it."""
        gangs = self.shape.model_dump()
        return {"data": self.data.model_dump(), "models": self.task.models, "sampler": self.sampler, "gangs": gangs}


def make_plan(spec: SearchSpec, data: "DataSummary", room: "Room", latencies: Mapping[int, float]) -> Plan:
    """Check everything against the `room` on the cluster; raises `UserError` for what cannot work.

    `latencies`, by trial, are what a second objective is ranked by; they need not be there yet.
    """
    from searchspace.reporting.tables.pareto import by_front
    from searchspace.sampling.samplers import suiting
    from searchspace.stopping.rules import make_rule
    from searchspace.stopping.rung import by_value, rungs
    from trainables.workers.gang_resources import GangShape

    placement = place(spec, room)
    on_gpu = placement.gpus > 0
    for warning in placement.warnings:
        logger.warning(warning)
    for remark in placement.remarks:
        logger.info(remark)
    task = preflight.make_task(data, preflight.choose_models(spec, on_gpu), on_gpu, spec.metric)
    space, drawn = preflight.check_space(spec, task)
    sampler = suiting(drawn, spec.trials) if spec.sampler == "auto" else spec.sampler
    levels = rungs(spec.grace_epochs, spec.reduction_factor, spec.max_epochs)
    order = by_front(latencies) if "latency" in spec.objectives else by_value
    new_rule = partial(make_rule, spec.scheduler, spec.budget_unit, levels, spec.reduction_factor, order)
    new_rule()  # which raises for what there is no rule for
    shape = GangShape(
        slots=placement.slots, workers=spec.workers_per_trial, cpus=spec.cpus_per_worker, gpus=placement.gpus,
        nodes=placement.nodes, elastic=room.joined, precision=spec.precision, memory_gb=spec.memory_gb,
    )  # fmt: skip
    return Plan(data, task, space, sampler, new_rule, shape)


@contextmanager
def gangs(
    plan: Plan,
    mirror: "FolderSync",
    when_warm: Callable[[int, "GangInfo"], None],
    interruption: Interruption | None = None,
) -> Iterator["GangPool"]:
    """Gangs for a plan, sent home at the end; `when_warm` hears, from a thread, of each that can train.

    All that they leave is in the folder of `mirror`.

    An `interruption` ends what they train with its epoch, and waits a while until that is saved.
    """
    from trainables.workers.gang_pool import GANGS, GangPool

    check = interruption.check if interruption else lambda: None
    pool = GangPool(plan.shape, plan.data, mirror, when_warm, check)
    try:
        yield pool
    finally:
        pool.close(SAVING if interruption and interruption.is_asked() else PATIENCE)
        remove_tree(mirror.folder / GANGS)
