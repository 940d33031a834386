"""The nodes of the cluster that this process is connected to, and those that its autoscaler may add."""

import os
from pathlib import Path
from typing import Any

import ray
import yaml

from searchspace.cluster.placement import Node, Room
from trainables.workers.gang_resources import HEAD

BOOTSTRAP_FILE = "~/ray_bootstrap_config.yaml"
"""Where `ray up` leaves a head the configuration that its autoscaler follows."""
ON_DEMAND = "on_demand"
"""Ray's resource of on-demand nodes, on clusters that have spot nodes too."""


def look_around(joined: bool) -> Room:
    """The room on the cluster of `ray.init`, which is the search's own unless `joined`."""
    nodes: Any = ray.nodes  # which Ray leaves untyped
    alive = [node for node in nodes() if node["Alive"]]
    here = ray.get_runtime_context().get_node_id()
    mine: dict[str, float] = next((node["Resources"] for node in alive if node["NodeID"] == here), {})
    file = Path(os.path.expanduser(BOOTSTRAP_FILE))
    follows = joined and HEAD.keys() <= mine.keys() and file.is_file()
    growth = read_growth(yaml.safe_load(file.read_text())) if follows else ()
    return Room(
        nodes=tuple(_node(node["Resources"]) for node in alive),
        most=(_node(mine), *growth) if growth else (),
        joined=joined,
        on_spot=ON_DEMAND not in mine and any(ON_DEMAND in node["Resources"] for node in alive),
    )


def read_growth(configuration: dict[str, Any]) -> tuple[Node, ...]:
    """Nodes beside the head that an autoscaler's `configuration` allows; of several types, the ones with most GPUs.

    None where it starts machines that are listed by address, and knows no type of node beside the head's.
    """
    left = int(configuration.get("max_workers", 0))
    found = []
    types = configuration.get("available_node_types", {})
    kinds = [(_node(kind.get("resources", {})), kind) for name, kind in types.items() if name != _head(configuration)]
    for node, kind in sorted(kinds, key=lambda pair: (pair[0].gpus, pair[0].cpus), reverse=True):
        count = min(left, int(kind.get("max_workers", left)))
        left -= count
        found.append(node.model_copy(update={"count": count}))
    return tuple(found)


def _head(configuration: dict[str, Any]) -> str:
    return str(configuration.get("head_node_type"))


def _node(resources: dict[str, float]) -> Node:
    return Node(cpus=resources.get("CPU", 0.0), gpus=resources.get("GPU", 0.0))
