"""Placement of gangs: how many fit the nodes of a cluster, and over how many nodes each is spread. Pure functions."""

from collections.abc import Iterable, Sequence

from pydantic import Field

from searchspace.spec import SearchSpec
from trainables.common.errors import UserError
from trainables.config import Frozen

FRACTION_SLACK = 1e-6
"""Slack for fractions such as 1/3."""

ON_SPOT = "this command runs on a spot node, and ends with it; start it on the head node"


class Node(Frozen):
    """A node, or several alike."""

    cpus: float = Field(ge=0)
    """Cores that Ray gives out there."""
    gpus: float = Field(0.0, ge=0)
    """GPUs that Ray gives out there."""
    count: int = Field(1, ge=0)
    """How many there are."""


class Room(Frozen):
    """The resources of a cluster that gangs can use."""

    nodes: tuple[Node, ...]
    """Those that are there."""
    most: tuple[Node, ...] = ()
    """What the cluster's autoscaler may make of them, where that is known."""
    joined: bool = False
    """Whether the cluster is not the search's own: others may want its nodes, which may come and go."""
    on_spot: bool = False
    """Whether this process runs on a node that may be taken away, though others may not."""


class Placement(Frozen):
    """The placement of a search's gangs on nodes."""

    slots: int
    """Trials at a time."""
    nodes: int
    """Nodes that each gang lies on."""
    gpus: float
    """GPUs of each worker."""
    remarks: tuple[str, ...] = ()
    """What a user is to know of it."""
    warnings: tuple[str, ...] = ()
    """What a user should change."""


def place(spec: SearchSpec, room: Room) -> Placement:
    """Place as many gangs as there may be room for; raises `UserError` if not even one fits the cluster.

    Where a gang fits into one node, it lies in one; a larger one lies in equal shares on as few as hold it. More gangs
    than there is room for now are believed where the autoscaler's limits are known to allow them; and, where nothing
    fits yet, if they are asked for in so many words.
    """
    gpus = spec.gpus_per_worker
    if gpus is None:
        gpus = float(any(node.gpus > 0 for node in room.nodes + room.most))
    remarks = []
    now, nodes = count_gangs(spec.workers_per_trial, spec.cpus_per_worker, gpus, room.nodes)
    slots = now
    if room.most:
        slots, nodes = count_gangs(spec.workers_per_trial, spec.cpus_per_worker, gpus, room.most)
    elif not now and room.joined and spec.max_concurrent and spec.gpus_per_worker is not None:
        slots, nodes = spec.max_concurrent, 1
    if slots < 1:
        raise UserError(_say_short(spec, gpus, room))
    slots = min(slots, spec.max_concurrent or slots, spec.trials)
    if slots > now:
        kind = "GPU" if gpus else "CPU"
        grow = f" and may grow to {_total(room.most, kind):g}" if room.most else ", and nothing is known of its growth"
        remarks.append(
            f"the cluster has {_total(room.nodes, kind):g} {kind}s now{grow}: {slots} trials at a time, "
            f"of which {now} need not wait for nodes"
        )
    warnings = (ON_SPOT,) if room.on_spot else ()
    return Placement(slots=slots, nodes=nodes, gpus=gpus, remarks=tuple(remarks), warnings=warnings)


def count_gangs(workers: int, cpus: float, gpus: float, nodes: Iterable[Node]) -> tuple[int, int]:
    """Gangs of `workers` with `cpus` and `gpus` each that fit `nodes` at once, and the nodes of each gang.

    Each of those has an equal share of the workers, to one; 0 gangs where there is no way.
    """
    holds = [(_workers_in(node, cpus, gpus), node.count) for node in nodes if node.count]
    largest = max((workers_held for workers_held, _ in holds), default=0)
    if not largest:
        return 0, 1
    for spread in range(-(-workers // largest), min(workers, sum(count for _, count in holds)) + 1):
        share = -(-workers // spread)
        if gangs := _count_spread([(held // share, count) for held, count in holds], spread):
            return gangs, spread
    return 0, 1


def _count_spread(shares: Sequence[tuple[int, int]], spread: int) -> int:
    """Gangs of `spread` shares, each on another node, where so many nodes have room for so many `shares`."""
    gangs = sum(held * count for held, count in shares) // spread
    while gangs and sum(min(held, gangs) * count for held, count in shares) < gangs * spread:
        gangs -= 1
    return gangs


def _workers_in(node: Node, cpus: float, gpus: float) -> int:
    """Workers that a node holds; those that share a GPU do not lie on two."""
    held = int(node.cpus / cpus + FRACTION_SLACK)
    if gpus:
        by_gpu = (
            int(1 / gpus + FRACTION_SLACK) * int(node.gpus + FRACTION_SLACK)
            if gpus < 1
            else int(node.gpus / gpus + FRACTION_SLACK)
        )
        held = min(held, by_gpu)
    return held


def _total(nodes: Iterable[Node], kind: str) -> float:
    return sum(node.count * (node.gpus if kind == "GPU" else node.cpus) for node in nodes)


def _say_short(spec: SearchSpec, gpus: float, room: Room) -> str:
    """What is short: of GPUs, of cores, or of nodes that have both."""
    nodes, workers = room.most or room.nodes, spec.workers_per_trial
    each = {"GPU": gpus, "CPU": spec.cpus_per_worker}
    lacks = {kind: workers * amount - _total(nodes, kind) for kind, amount in each.items() if amount}
    kind = max(lacks, key=lambda kind: lacks[kind] / each[kind])
    option = f"--{kind.lower()}s-per-worker {each[kind]:g}"
    needed, held = f"{workers * each[kind]:g} {kind}s", f"{_total(nodes, kind):g}"
    said = f"--workers-per-trial {workers} with {option}: one trial needs {needed}, the cluster has {held}"
    if lacks[kind] <= FRACTION_SLACK:
        said += ", in nodes that cannot hold equal shares of its workers"
    if room.joined and not room.most and not (spec.max_concurrent and spec.gpus_per_worker is not None):
        said += "; if its autoscaler brings them, say how many: --max-concurrent and --gpus-per-worker"
    return said
