"""Makes what `cluster/gpu.yaml` names in an AWS account: `python -m searchspace.clouds.prepare_aws`.

None of it costs anything while it is not used, but for what lies in the bucket and the image repository. It may run
again at any time: what is there stays, and the rules and rights become those of the options.
"""

import ipaddress
import json
from typing import Annotated, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import Field, field_validator

from searchspace.clouds.policies import TRUST, head_policy, worker_policy
from searchspace.command import run_command
from searchspace.options import Option, with_options
from searchspace.spec import parse_record
from trainables.config import Frozen
from trainables.errors import UserError

CLUSTER = "searchspace"
"""`cluster_name` of `cluster/gpu.yaml`, and the name of all that is made here."""
PANEL = "AWS account"


class Preparation(Frozen):
    """What differs from one account to the next."""

    bucket: Annotated[str, Option(PANEL)] = Field("", min_length=3, max_length=63)
    """S3 bucket for results, studies and checkpoints; made if it is not there. Needed."""
    ssh_from: Annotated[str, Option(PANEL, metavar="CIDR")] = ""
    """Addresses that may reach the cluster's SSH, such as 203.0.113.7/32; nothing else is open. Needed."""
    region: Annotated[str, Option(PANEL)] = "us-west-2"
    """Region, the one that `cluster/gpu.yaml` names."""

    @field_validator("ssh_from")
    @classmethod
    def _no_world(cls, text: str) -> str:
        network = ipaddress.IPv4Network(text)  # raises `ValueError`, which says what is wrong
        if network.prefixlen < 8:
            raise ValueError("that is a large part of the world; give the addresses that you come from")
        return text


@with_options(Preparation)
def main(_given: frozenset[str], **options: Any) -> None:
    """Make the bucket, image repository, roles, security group and launch template that cluster/gpu.yaml names.

    Example: python -m searchspace.clouds.prepare_aws --bucket my-results --ssh-from 203.0.113.7/32
    """
    given = parse_record(Preparation, options)
    try:
        registry = prepare(given)
    except (BotoCoreError, ClientError) as error:
        raise UserError(f"AWS refuses: {error}") from error
    print(
        f"ready: security group, launch template and roles {CLUSTER!r} in {given.region}, SSH from {given.ssh_from}, "
        f"results in s3://{given.bucket}\n"
        f"next: docker build --file cluster/Dockerfile --tag {registry}/{CLUSTER}:0.1.0 . && "
        f"docker push {registry}/{CLUSTER}:0.1.0 && ray up cluster/gpu.yaml"
    )


def prepare(given: Preparation) -> str:
    """Make what is not there yet, and set rules and rights; the account's image registry, as a host name."""
    session = boto3.Session(region_name=given.region)
    account = session.client("sts").get_caller_identity()["Account"]
    _make_bucket(session.client("s3"), given)
    _make_repository(session.client("ecr"))
    iam = session.client("iam")
    _allow_spot(iam)
    _make_role(iam, f"{CLUSTER}-head", head_policy(given.bucket, CLUSTER, given.region, account, CLUSTER))
    _make_role(iam, f"{CLUSTER}-worker", worker_policy(given.bucket, CLUSTER, given.region, account))
    ec2 = session.client("ec2")
    _make_template(ec2, _make_group(ec2, given.ssh_from))
    return f"{account}.dkr.ecr.{given.region}.amazonaws.com"


def _make_bucket(s3: Any, given: Preparation) -> None:
    if given.bucket not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
        place = {} if given.region == "us-east-1" else {"LocationConstraint": given.region}
        s3.create_bucket(Bucket=given.bucket, **({"CreateBucketConfiguration": place} if place else {}))
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket=given.bucket, PublicAccessBlockConfiguration=dict.fromkeys(names, True))


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


def _make_group(ec2: Any, ssh_from: str) -> str:
    """The security group's id: nodes reach each other, `ssh_from` reaches SSH, and nobody reaches anything else."""
    found = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [CLUSTER]}])["SecurityGroups"]
    group = found[0]["GroupId"] if found else _new_group(ec2)
    rules = [
        {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]},
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": ssh_from}]},
    ]
    if found and found[0]["IpPermissions"]:
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=found[0]["IpPermissions"])
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rules)
    return group


def _new_group(ec2: Any) -> str:
    networks = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    if not networks:
        raise UserError("this region of the account has no default network (VPC); make one in the console, or by aws")
    made = ec2.create_security_group(
        GroupName=CLUSTER, Description="Nodes of the searchspace cluster", VpcId=networks[0]["VpcId"]
    )
    group: str = made["GroupId"]
    return group


def _make_template(ec2: Any, group: str) -> None:
    """A launch template that gives the group's id, which differs from account to account, a name that does not."""
    names = [one["LaunchTemplateName"] for one in ec2.describe_launch_templates()["LaunchTemplates"]]
    data = {"SecurityGroupIds": [group]}
    if CLUSTER not in names:
        ec2.create_launch_template(LaunchTemplateName=CLUSTER, LaunchTemplateData=data)
        return
    made = ec2.create_launch_template_version(LaunchTemplateName=CLUSTER, LaunchTemplateData=data)
    version = str(made["LaunchTemplateVersion"]["VersionNumber"])
    ec2.modify_launch_template(LaunchTemplateName=CLUSTER, DefaultVersion=version)


if __name__ == "__main__":
    run_command(main)
