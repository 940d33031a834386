"""The cluster's own subnets, one a zone; their size limits the number of its machines on AWS.

No condition of IAM counts instances (`MaxCount` is not among its keys). But each machine takes an address of its
subnet, the head's role may use these subnets alone, and AWS refuses a machine for which there is no address left.
"""

import ipaddress
from collections.abc import Sequence
from typing import Any

from trainables.common.errors import UserError

TAG = "searchspace-cluster"
"""Tag of the cluster's subnets; its value is the cluster's name."""
RESERVED = 5
"""Addresses of each subnet that AWS keeps for itself."""
SMALLEST, LARGEST = 28, 16
"""Bits of the prefixes that AWS allows for a subnet, from the smallest subnet to the largest."""


def prefix_for(machines: int) -> int:
    """Bits of the prefix of the smallest subnet with so many addresses to give; raises `ValueError` for too many."""
    for prefix in range(SMALLEST, LARGEST - 1, -1):
        if 2 ** (32 - prefix) - RESERVED >= machines:
            return prefix
    raise ValueError(f"{machines} machines are more than a subnet of AWS has addresses for")


def free_blocks(whole: Sequence[str], taken: Sequence[str], prefix: int, count: int) -> list[str]:
    """So many blocks with a prefix of that many bits within `whole` that overlap nothing `taken`, the highest first.

    Raises `ValueError` where there are not as many.
    """
    used = [ipaddress.ip_network(text) for text in taken]
    found: list[str] = []
    for network in map(ipaddress.IPv4Network, whole):
        size, end = 2 ** (32 - prefix), int(network.broadcast_address) + 1
        for start in range(end - size, int(network.network_address) - 1, -size):
            block = ipaddress.IPv4Network((start, prefix))
            if not any(block.overlaps(other) for other in used):
                found.append(str(block))
            if len(found) == count:
                return found
    raise ValueError(f"{', '.join(whole)}: has room for {len(found)} of {count} subnets /{prefix}")


def find_subnets(ec2: Any, cluster: str) -> list[dict[str, Any]]:
    """The cluster's subnets as AWS describes them; none where `prepare_aws` has not run."""
    found = ec2.describe_subnets(Filters=[{"Name": f"tag:{TAG}", "Values": [cluster]}])
    subnets: list[dict[str, Any]] = found["Subnets"]
    return sorted(subnets, key=lambda subnet: str(subnet["AvailabilityZone"]))


def make_subnets(ec2: Any, network: dict[str, Any], cluster: str, machines: int) -> list[dict[str, Any]]:
    """One subnet in each zone of the VPC `network`, each with addresses for `machines`; those that exist stay.

    Raises `UserError` where one that exists has another size, and where the network has no room.
    """
    try:
        prefix = prefix_for(machines)
        there = find_subnets(ec2, cluster)
        for subnet in there:
            if not subnet["CidrBlock"].endswith(f"/{prefix}"):
                raise UserError(
                    f"subnet {subnet['SubnetId']} of the cluster is {subnet['CidrBlock']}, and {machines} machines "
                    f"take a /{prefix}: end the cluster, delete its subnets (aws ec2 delete-subnet), and run this again"
                )
        zones = sorted(set(_zones(ec2)) - {subnet["AvailabilityZone"] for subnet in there})
        taken = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [network["VpcId"]]}])["Subnets"]
        whole = [one["CidrBlock"] for one in network["CidrBlockAssociationSet"]]
        blocks = free_blocks(whole, [one["CidrBlock"] for one in taken], prefix, len(zones)) if zones else []
    except ValueError as error:
        raise UserError(f"no subnets for the cluster: {error}") from error
    for zone, block in zip(zones, blocks, strict=True):
        _make_subnet(ec2, network["VpcId"], zone, block, cluster)
    return find_subnets(ec2, cluster)


def _make_subnet(ec2: Any, network: str, zone: str, block: str, cluster: str) -> None:
    tags = [{"Key": TAG, "Value": cluster}, {"Key": "Name", "Value": cluster}]
    made = ec2.create_subnet(
        VpcId=network, AvailabilityZone=zone, CidrBlock=block,
        TagSpecifications=[{"ResourceType": "subnet", "Tags": tags}],
    )  # fmt: skip
    ec2.modify_subnet_attribute(SubnetId=made["Subnet"]["SubnetId"], MapPublicIpOnLaunch={"Value": True})


def _zones(ec2: Any) -> list[str]:
    """Names of the region's own zones, without local ones."""
    usable = [{"Name": "state", "Values": ["available"]}, {"Name": "opt-in-status", "Values": ["opt-in-not-required"]}]
    return [zone["ZoneName"] for zone in ec2.describe_availability_zones(Filters=usable)["AvailabilityZones"]]
