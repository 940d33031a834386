"""Resources of the gangs: how many there are, what each worker gets, and the nodes on which it is placed."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from trainables.config import Assignment, Frozen
from trainables.models.model_registry import is_pretrained

if TYPE_CHECKING:
    from ray.util.placement_group import PlacementGroup

Precision = Literal["auto", "bf16", "fp32"]
HEAD = {"node:__internal_head__": 0.0001}
"""Ray's resource of the head node, which is never a spot node. The broker, trial actors, Ray Train's controllers and
watchers run there, so that a search outlives the loss of every other node. The amount is the least that Ray counts:
the head has 1 of it, and each slot takes some such shares."""


class GangResources(Frozen):
    """Size and number of the gangs of a search."""

    slots: int = Field(ge=1)
    """Gangs: trials at a time."""
    workers: int = Field(ge=1)
    """DDP workers in each gang."""
    cpus: float = Field(gt=0)
    """Cores of each worker."""
    gpus: float = Field(ge=0)
    """GPUs of each worker; a fraction packs several on one."""
    nodes: int = Field(1, ge=1)
    """Nodes that a gang lies on: all in one, or in equal shares on so many, which differ by one worker at most."""
    elastic: bool = False
    """Whether nodes come and go: gangs wait for them side by side, and one without work makes room for others."""
    precision: Precision = "auto"
    """What workers train in; `auto` is bf16 where the hardware has it natively, else fp32."""
    memory_gb: float = Field(0.0, ge=0)
    """Image memory of each worker, in GB; 0 takes a share of what is free."""

    @property
    def resources(self) -> dict[str, float]:
        """What Ray sets aside for each worker."""
        return {"CPU": self.cpus} | ({"GPU": self.gpus} if self.gpus else {})


ALONE_KINDS = {"final", "winner", "test"}
"""Kinds of trials that are trained when the search is over, so that nothing else wants the cores of idle gangs."""


def share_threads(
    resources: GangResources, chosen: Sequence[Assignment], running: Sequence[Assignment]
) -> list[Assignment]:
    """The assignments that begin now, beside those `running`, with the cores of the gangs that have nothing to do.

    Only on one machine without GPUs, where a process can use the cores that others leave. A trial keeps the threads
    that it began with. Networks from scratch are left with their own: on two threads of two cores a small one trained
    1.0 to 1.3 times as fast, and a quarter as fast beside another busy process, for which each short operation waits;
    a pretrained backbone 1.5 to 2 times, and half as fast.
    """
    if resources.elastic or resources.gpus or not chosen or any(each.kind not in ALONE_KINDS for each in chosen):
        return list(chosen)
    own = max(1, int(resources.cpus))
    used = sum((each.threads or own) * resources.workers for each in running)
    left = int(resources.slots * resources.workers * resources.cpus) - used
    threads = left // (len(chosen) * resources.workers)
    return [
        each.model_copy(update={"threads": threads}) if threads > own and _gains_by_threads(each) else each
        for each in chosen
    ]


def _gains_by_threads(assignment: Assignment) -> bool:
    return assignment.kind == "test" or is_pretrained(assignment.config.model)


def reserve(worker: Mapping[str, float], workers: int, nodes: int, name: str) -> "PlacementGroup":
    """Request the places of a gang's workers, each with the resources `worker`; they may come later."""
    from ray.util.placement_group import placement_group

    strategy = "STRICT_PACK" if nodes == 1 else "STRICT_SPREAD"
    group: PlacementGroup = placement_group(bundles(worker, workers, nodes), strategy=strategy, name=name)
    return group


def remove_reserved(run_config: Any) -> None:
    """Remove the placement group of a run whose controller died; Ray would keep it until the end of the search."""
    from ray.util.placement_group import get_placement_group, remove_placement_group

    with suppress(ValueError):  # there is none of this name
        remove_placement_group(get_placement_group(placement_group_name(run_config)))


def placement_group_name(run_config: Any) -> str:
    """Name of the placement group of a run."""
    return str(Path(str(run_config.storage_path)) / str(run_config.name))


def bundles(worker: Mapping[str, float], workers: int, nodes: int) -> list[dict[str, float]]:
    """Resources that a gang takes on each of its nodes."""
    return [{kind: amount * share for kind, amount in worker.items()} for share in shares_of(workers, nodes)]


def shares_of(workers: int, nodes: int) -> Sequence[int]:
    """Workers on each node, the larger shares first."""
    return [workers // nodes + (index < workers % nodes) for index in range(nodes)]
