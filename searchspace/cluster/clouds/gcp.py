"""Ray's node provider for GCP, with machine types in price order; `provider.module` in `cluster/gcp.yaml` names it."""

from typing import Any

from searchspace.cluster.clouds.fallback import launch_in_order
from searchspace.ray_compat import node_provider

GCPNodeProvider: Any = node_provider("gcp")


class GCPInPriceOrder(GCPNodeProvider):  # type: ignore[misc]  # which Ray keeps to itself
    """Machine types of one zone: Ray's provider knows no more than one."""

    def create_node(self, node_config: dict[str, Any], tags: dict[str, str], count: int) -> dict[str, Any]:
        """Create `count` machines, by their names; raises what Google answered where no type is to be had.

        One at a time: of several, Ray's provider raises for the first refusal, and the others would go uncounted.
        """
        made: dict[str, Any] = {}
        for _ in range(count):
            try:
                made |= launch_in_order(super().create_node, node_config, tags, 1)
            except Exception:
                if not made:
                    raise
                break
        return made
