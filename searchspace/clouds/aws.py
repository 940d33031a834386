"""Ray's node provider for AWS, with instance types in price order; `provider.module` in `cluster/gpu.yaml` names it."""

from typing import Any

from ray.autoscaler._private.aws.node_provider import AWSNodeProvider

from searchspace.clouds.fallback import launch_in_order


class AWSInPriceOrder(AWSNodeProvider):
    """Each instance type is tried in every zone, as Ray does it, before the next one is."""

    def create_node(self, node_config: dict[str, Any], tags: dict[str, str], count: int) -> dict[str, Any]:
        """Create `count` instances, by their ids; raises `NodeLaunchException` where no type is to be had."""
        return launch_in_order(super().create_node, node_config, tags, count)
