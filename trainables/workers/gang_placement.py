"""Where a gang's workers are placed: in one bundle of Ray resources a node."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ray.util.placement_group import PlacementGroup, get_placement_group, placement_group, remove_placement_group


def reserve(worker: Mapping[str, float], workers: int, nodes: int, name: str) -> PlacementGroup:
    """Request the places of a gang's workers, each with the resources `worker`; they may come later."""
    strategy = "STRICT_PACK" if nodes == 1 else "STRICT_SPREAD"
    group: PlacementGroup = placement_group(bundles(worker, workers, nodes), strategy=strategy, name=name)
    return group


def remove_reserved(run_config: Any) -> None:
    """Remove the placement group of a run whose controller died; Ray would keep it until the end of the search."""
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
