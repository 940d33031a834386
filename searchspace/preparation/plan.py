"""The plan of a search on a cluster, checked before any worker starts; and the gangs that it opens."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from searchspace.cli.interruption import Interruption
from searchspace.cluster.placement import Placement, place
from searchspace.constraints.constraints import ConstraintChecker
from searchspace.constraints.feasibility import check_feasible
from searchspace.preparation import preflight
from searchspace.spec import SearchSpec
from trainables.storage.folders import remove_tree

if TYPE_CHECKING:
    from searchspace.cluster.placement import Room
    from searchspace.sampling.sampler_registry import SamplerName
    from searchspace.spaces import Space, Task
    from searchspace.stopping.rule import StoppingRule
    from trainables.data.store.data_summary import DataSummary
    from trainables.storage.folder_sync import FolderSync
    from trainables.workers.gang_pool import GangPool
    from trainables.workers.gang_resources import GangResources
    from trainables.workers.slot_state import GangInfo

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 20.0
"""How long the end of a search waits for its gangs."""
SAVE_TIMEOUT_S = 60.0
"""How long an interrupted search waits for epochs that have begun, which are saved at their end."""


@dataclass(frozen=True)
class Plan:
    """Facts that a search needs besides its specification."""

    data: "DataSummary"
    task: "Task"
    space: "Space"
    sampler: "SamplerName"
    make_rule: Callable[[], "StoppingRule"]
    """Makes the early-stopping rule, without any trial yet."""
    shape: "GangResources"

    @property
    def record_fields(self) -> dict[str, Any]:
        """Its fields in `search.json`."""
        gangs = self.shape.model_dump()
        return {"data": self.data.model_dump(), "models": self.task.models, "sampler": self.sampler, "gangs": gangs}


def make_plan(spec: SearchSpec, data: "DataSummary", room: "Room", latencies: Mapping[int, float]) -> Plan:
    """Check everything against the `room` on the cluster; raises `UserError` for what cannot work.

    `latencies`, by trial, are what a second objective is ranked by; they need not be there yet.
    """
    from searchspace.reporting.tables.pareto import by_front
    from searchspace.sampling.samplers import choose_sampler
    from searchspace.stopping.rules import make_rule
    from searchspace.stopping.rung import by_value, rungs
    from trainables.workers.gang_resources import GangResources

    placement = place(spec, room)
    on_gpu = placement.gpus > 0
    for warning in placement.warnings:
        logger.warning(warning)
    for remark in placement.remarks:
        logger.info(remark)
    task = preflight.make_task(data, preflight.choose_models(spec, on_gpu), on_gpu, spec.metric)
    space, drawn = preflight.check_space(spec, task)
    sampler = choose_sampler(drawn, spec.trials) if spec.sampler == "auto" else spec.sampler
    levels = rungs(spec.grace_epochs, spec.reduction_factor, spec.max_epochs)
    order = by_front(latencies) if "latency" in spec.objectives else by_value
    new_rule = partial(make_rule, spec.scheduler, spec.budget_unit, levels, spec.reduction_factor, order)
    new_rule()  # which raises for what there is no rule for
    shape = GangResources(
        slots=placement.slots, workers=spec.workers_per_trial, cpus=spec.cpus_per_worker, gpus=placement.gpus,
        nodes=placement.nodes, elastic=room.joined, precision=spec.precision, memory_gb=spec.memory_gb,
    )  # fmt: skip
    return Plan(data, task, space, sampler, new_rule, shape)


class Planner:
    """Plans one search for a cluster, and plans it again where another cluster is given.

    On one machine a search is planned before Ray starts, by the machine's cores and GPUs. Ray may offer others, as in a
    container whose cores are limited: then that plan is replaced.
    """

    def __init__(
        self, spec: SearchSpec, data: "DataSummary", constraints: ConstraintChecker, student: ConstraintChecker
    ) -> None:
        """Plan the search of `spec` on `data`; `student` are the constraints that one network of it has to keep."""
        self._spec, self._data, self._constraints, self._student = spec, data, constraints, student
        self._made: tuple[Placement, bool, Plan] | None = None

    def plan(self, room: "Room") -> Plan:
        """The plan for a cluster; raises `UserError` for what cannot work there, or if no network keeps the limits."""
        placement = place(self._spec, room)
        if self._made is None or self._made[:2] != (placement, room.joined):
            plan = make_plan(self._spec, self._data, room, self._constraints.latencies)
            check_feasible(self._student, self._spec, plan.space, plan.task)
            self._made = placement, room.joined, plan
        return self._made[2]


@contextmanager
def open_gangs(
    plan: Plan,
    mirror: "FolderSync",
    when_warm: Callable[[int, "GangInfo"], None],
    interruption: Interruption | None = None,
) -> Iterator["GangPool"]:
    """Start the gangs of a plan, and end them after the block; their files are in the folder of `mirror`.

    `when_warm` is called from a thread with each slot that can train, and what it trains on. After an `interruption`
    the trials that they train end with their epochs, and the end waits until those are saved.
    """
    from trainables.workers.gang_pool import GANGS, GangPool

    check = interruption.check if interruption else lambda: None
    pool = GangPool(plan.shape, plan.data, mirror, when_warm, check)
    try:
        yield pool
    finally:
        pool.close(SAVE_TIMEOUT_S if interruption and interruption.is_requested() else CLOSE_TIMEOUT_S)
        remove_tree(mirror.folder / GANGS)
