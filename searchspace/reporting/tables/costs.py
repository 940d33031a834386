"""What a network costs where it is shipped, as columns of boards."""

from typing import Any

from trainables.export.benchmark.architecture_cost import ArchitectureCost


def shipped(cost: ArchitectureCost | None) -> dict[str, Any]:
    """What was measured of a network as it would be shipped: ms, MB and MB."""
    names = ("latency_ms", "size_mb", "memory_mb")
    return {name: getattr(cost, name) if cost else None for name in names}
