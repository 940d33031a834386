"""Creates the AWS resources that `cluster/gpu.yaml` names: `searchspace prepare-aws`.

Unused resources cost nothing, except the contents of the bucket and of the image repository. The command may run
again at any time: existing resources stay, and rules and permissions are updated to the options.
"""

import ipaddress
import json
from typing import Annotated, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import Field, field_validator

from searchspace.cli.command import run_command
from searchspace.cli.options import Option, with_options
from searchspace.cli.output import print_lines
from searchspace.cluster.clouds.cluster_limits import ClusterLimits, read_cluster_limits
from searchspace.cluster.clouds.policies import DATA, SEARCHES, TRUST, Account, head_policy, worker_policy
from searchspace.cluster.clouds.subnets import make_subnets
from searchspace.spec import parse_record
from trainables.common.errors import UserError
from trainables.config import Frozen

CLUSTER = "searchspace"
"""`cluster_name` of `cluster/gpu.yaml`, and the name of all that is made here."""
PANEL = "AWS account"


class AccountOptions(Frozen):
    """What differs from one account to the next."""

    bucket: Annotated[str, Option(PANEL)] = Field("", min_length=3, max_length=63)
    """S3 bucket for results, studies and checkpoints; made if it is not there. Needed."""
    ssh_from: Annotated[str, Option(PANEL, metavar="CIDR")] = ""
    """Addresses that may reach the cluster's SSH, such as 203.0.113.7/32; nothing else is open. Needed."""
    cluster: Annotated[str, Option(PANEL, metavar="FILE.yaml")] = "cluster/gpu.yaml"
    """The file for ray up; the head may start what it names, in its region, and no more of it."""

    @field_validator("ssh_from")
    @classmethod
    def _no_world(cls, text: str) -> str:
        network = ipaddress.IPv4Network(text)  # raises `ValueError`, which says what is wrong
        if network.prefixlen < 8:
            raise ValueError("that is a large part of the world; give the addresses that you come from")
        return text


@with_options(AccountOptions)
def main(_given: frozenset[str], **options: Any) -> None:
    """Make the bucket, image repository, roles, security group and launch template that cluster/gpu.yaml names.

    Example: searchspace prepare-aws --bucket my-results --ssh-from 203.0.113.7/32
    """
    given = parse_record(AccountOptions, options)
    limits = read_cluster_limits(given.cluster)
    try:
        registry, machines = prepare(given, limits)
    except (BotoCoreError, ClientError) as error:
        raise UserError(f"AWS refuses: {error}") from error
    print_lines(
        f"ready: subnets for {machines} machines, security group, launch template and roles {CLUSTER!r} in "
        f"{limits.region}, SSH from {given.ssh_from}",
        f"nodes read s3://{given.bucket}/{DATA} and write s3://{given.bucket}/{SEARCHES}, and nothing else",
        f"next: docker build --file cluster/Dockerfile --tag {registry}/{CLUSTER}:0.1.0 . && "
        f"docker push {registry}/{CLUSTER}:0.1.0 && ray up {given.cluster}",
    )


def prepare(given: AccountOptions, limits: ClusterLimits) -> tuple[str, int]:
    """Make what is not there yet, and set rules and rights.

    Returns the account's image registry, as a host name, and how many machines its subnets have addresses for.
    """
    session = boto3.Session(region_name=limits.region)
    number = session.client("sts").get_caller_identity()["Account"]
    _make_bucket(session.client("s3"), given.bucket, limits.region)
    _make_repository(session.client("ecr"))
    ec2 = session.client("ec2")
    network = _find_network(ec2)
    subnets = make_subnets(ec2, network, CLUSTER, limits.workers + 1)
    group = _make_group(ec2, network["VpcId"], given.ssh_from)
    account = Account(
        number=number, region=limits.region, cluster=CLUSTER, bucket=given.bucket, group=group,
        template=_make_template(ec2, group), subnets=tuple(subnet["SubnetId"] for subnet in subnets),
        types=limits.types, disk_gb=limits.disk_gb, key_name=limits.key_name,
    )  # fmt: skip
    iam = session.client("iam")
    _allow_spot(iam)
    _make_role(iam, f"{CLUSTER}-head", head_policy(account))
    _make_role(iam, f"{CLUSTER}-worker", worker_policy(account))
    free = sum(subnet["AvailableIpAddressCount"] for subnet in subnets)
    return f"{number}.dkr.ecr.{limits.region}.amazonaws.com", free


def _make_bucket(s3: Any, name: str, region: str) -> None:
    if name not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
        place = {} if region == "us-east-1" else {"LocationConstraint": region}
        s3.create_bucket(Bucket=name, **({"CreateBucketConfiguration": place} if place else {}))
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(names, True))


def _make_repository(ecr: Any) -> None:
    if CLUSTER not in [found["repositoryName"] for found in ecr.describe_repositories()["repositories"]]:
        # A tag that cannot be pushed twice is a version.
        ecr.create_repository(repositoryName=CLUSTER, imageTagMutability="IMMUTABLE")


def _allow_spot(iam: Any) -> None:
    """Make the role by which EC2 itself serves spot requests; the console would, with an account's first one."""
    if not iam.list_roles(PathPrefix="/aws-service-role/spot.amazonaws.com/")["Roles"]:
        iam.create_service_linked_role(AWSServiceName="spot.amazonaws.com")


def _make_role(iam: Any, name: str, policy: dict[str, Any]) -> None:
    if name not in [role["RoleName"] for page in _pages(iam, "list_roles") for role in page["Roles"]]:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(RoleName=name, PolicyName=CLUSTER, PolicyDocument=json.dumps(policy))
    profiles = [one for page in _pages(iam, "list_instance_profiles") for one in page["InstanceProfiles"]]
    if name not in [profile["InstanceProfileName"] for profile in profiles]:
        iam.create_instance_profile(InstanceProfileName=name)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)


def _pages(client: Any, operation: str) -> Any:
    return client.get_paginator(operation).paginate()


def _find_network(ec2: Any) -> dict[str, Any]:
    """The region's default VPC, whose subnets reach the internet; raises `UserError` where there is none."""
    networks = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    if not networks:
        raise UserError("this region of the account has no default network (VPC); make one in the console, or by aws")
    network: dict[str, Any] = networks[0]
    return network


def _make_group(ec2: Any, network: str, ssh_from: str) -> str:
    """The security group's id: nodes reach each other, `ssh_from` reaches SSH, and all else is closed."""
    named = [{"Name": "group-name", "Values": [CLUSTER]}, {"Name": "vpc-id", "Values": [network]}]
    found = ec2.describe_security_groups(Filters=named)["SecurityGroups"]
    group: str = found[0]["GroupId"] if found else _new_group(ec2, network)
    rules = [
        {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]},
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": ssh_from}]},
    ]
    if found and found[0]["IpPermissions"]:
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=found[0]["IpPermissions"])
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rules)
    return group


def _new_group(ec2: Any, network: str) -> str:
    made = ec2.create_security_group(GroupName=CLUSTER, Description="Nodes of the searchspace cluster", VpcId=network)
    group: str = made["GroupId"]
    return group


def _make_template(ec2: Any, group: str) -> str:
    """Id of a launch template by whose name machines get the group, whose id differs from account to account."""
    known = {one["LaunchTemplateName"]: one for one in ec2.describe_launch_templates()["LaunchTemplates"]}
    data = {"SecurityGroupIds": [group]}
    if CLUSTER not in known:
        made = ec2.create_launch_template(LaunchTemplateName=CLUSTER, LaunchTemplateData=data)["LaunchTemplate"]
        return str(made["LaunchTemplateId"])
    made = ec2.create_launch_template_version(LaunchTemplateName=CLUSTER, LaunchTemplateData=data)
    version = str(made["LaunchTemplateVersion"]["VersionNumber"])
    ec2.modify_launch_template(LaunchTemplateName=CLUSTER, DefaultVersion=version)
    return str(known[CLUSTER]["LaunchTemplateId"])


if __name__ == "__main__":
    run_command(main)
