"""Ray's node provider for AWS, with instance types in price order; `provider.module` in `cluster/gpu.yaml` names it."""

import copy
from typing import Any

import boto3

from searchspace.cluster.clouds.fallback import launch_in_order
from searchspace.cluster.clouds.subnets import find_subnets
from searchspace.ray_compat import node_provider

AWSNodeProvider: Any = node_provider("aws")


class AWSInPriceOrder(AWSNodeProvider):  # type: ignore[misc]  # which Ray keeps to itself
    """Each instance type is tried in every zone, as Ray does it, before the next one is."""

    def create_node(self, node_config: dict[str, Any], tags: dict[str, str], count: int) -> dict[str, Any]:
        """Create `count` instances, by their ids; raises `NodeLaunchException` where no type is to be had."""
        return launch_in_order(super().create_node, node_config, tags, count)

    @staticmethod
    def bootstrap_config(cluster_config: dict[str, Any]) -> dict[str, Any]:
        """Ray's own, with the cluster's subnets; raises `ValueError` in an account that `prepare_aws` has not seen."""
        config, name = copy.deepcopy(cluster_config), cluster_config["cluster_name"]
        region = config["provider"]["region"]
        found = [subnet["SubnetId"] for subnet in find_subnets(boto3.client("ec2", region_name=region), name)]
        if not found:
            raise ValueError(f"no subnets of cluster {name!r} in {region}: run searchspace prepare-aws first")
        for node_type in config["available_node_types"].values():
            node_type["node_config"].setdefault("SubnetIds", found)
        ready: dict[str, Any] = AWSNodeProvider.bootstrap_config(config)
        return ready
