"""IAM policies of the nodes of `cluster/gpu.yaml` in an AWS account: the fewest permissions that they need.

Actions, resources and condition keys are those of AWS's Service Authorization Reference. Resources with an id are named
by it; `*` stands only for resources that do not exist yet, and for actions that AWS grants for all resources or none.
"""

from typing import Any

from trainables.config import Frozen

Policy = dict[str, Any]

TRUST: Policy = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
"""Only EC2 instances take these roles."""
IMAGE = "aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id"
"""Amazon's public name for the machine image of `cluster/gpu.yaml`."""
SEARCHES, DATA = "searches", "data"
"""Prefixes of the bucket: what nodes read and write, and what they only read."""
STATUS_TAGS = ("ray-file-mounts-contents", "ray-node-status", "ray-runtime-config")
"""Tags that Ray's updater changes on a worker while it sets it up."""


class Account(Frozen):
    """What the cluster may use in an account."""

    number: str
    """The account's twelve digits."""
    region: str
    """Region of the cluster."""
    cluster: str
    """Its `cluster_name`, which is also the name of its image repository, and begins those of its roles."""
    bucket: str
    """Bucket of results and data."""
    group: str
    """Id of its security group."""
    template: str
    """Id of its launch template."""
    subnets: tuple[str, ...]
    """Ids of its subnets, whose addresses bound the number of its machines."""
    types: tuple[str, ...]
    """Instance types of its workers."""
    disk_gb: int
    """Size of a worker's largest disk, in GiB."""
    key_name: str
    """Name of its SSH key pair."""

    def ec2(self, kind: str, name: str = "*") -> str:
        """ARN of one of the account's EC2 resources."""
        return f"arn:aws:ec2:{self.region}:{self.number}:{kind}/{name}"

    def iam(self, kind: str, name: str) -> str:
        """ARN of a role or an instance profile."""
        return f"arn:aws:iam::{self.number}:{kind}/{name}"


def worker_policy(account: Account) -> Policy:
    """Results and data in one bucket, the container image from one repository."""
    return _policy(*_bucket(account), *_image(account))


def head_policy(account: Account) -> Policy:
    """As a worker, and: start spot instances that are workers of this cluster, set their status, and end them."""
    worker = {"aws:ResourceTag/ray-cluster-name": account.cluster, "aws:ResourceTag/ray-node-type": "worker"}
    return _policy(
        *_bucket(account),
        *_image(account),
        _allow(["ec2:DescribeInstances", "ec2:DescribeInstanceTypes"], "*"),
        *_starting(account),
        _allow(["ec2:TerminateInstances"], account.ec2("instance"), StringEquals=worker),
        _allow(
            ["ec2:CreateTags"], account.ec2("instance"),
            StringEquals=worker, **{"ForAllValues:StringEquals": {"aws:TagKeys": list(STATUS_TAGS)}},
        ),
    )  # fmt: skip


def _starting(account: Account) -> list[Policy]:
    """Start workers: each of these is asked for by AWS, for each resource that an instance is made of.

    Only the user who runs `ray up` may start on-demand instances; a program on the cluster cannot.
    """
    run, subnets = ["ec2:RunInstances"], [account.ec2("subnet", name) for name in account.subnets]
    return [
        _allow(
            run, account.ec2("instance"),
            StringEquals={
                "aws:RequestTag/ray-cluster-name": account.cluster, "aws:RequestTag/ray-node-type": "worker",
                "ec2:InstanceMarketType": "spot", "ec2:InstanceType": list(account.types),
                "ec2:MetadataHttpTokens": "required",
            },
            ArnEquals={
                "ec2:InstanceProfile": account.iam("instance-profile", f"{account.cluster}-worker"),
                "ec2:LaunchTemplate": account.ec2("launch-template", account.template),
            },
        ),
        _allow(
            run,
            [
                account.ec2("key-pair", account.key_name), account.ec2("launch-template", account.template),
                account.ec2("security-group", account.group), account.ec2("spot-instances-request"), *subnets,
            ],
        ),
        _allow(run, account.ec2("network-interface"), ArnEquals={"ec2:Subnet": subnets}),
        _allow(
            run, account.ec2("volume"),
            Bool={"ec2:Encrypted": "true"}, NumericLessThanEquals={"ec2:VolumeSize": str(account.disk_gb)},
        ),
        _allow(run, f"arn:aws:ec2:{account.region}::image/*", StringEquals={"ec2:Owner": "amazon"}),
        _allow(["ssm:GetParameters"], f"arn:aws:ssm:{account.region}::parameter/{IMAGE}"),
        _allow(
            ["ec2:CreateTags"], [account.ec2("instance"), account.ec2("volume")],
            StringEquals={"ec2:CreateAction": "RunInstances"},
        ),
        _allow(
            ["iam:PassRole"], account.iam("role", f"{account.cluster}-worker"),
            StringEquals={"iam:PassedToService": "ec2.amazonaws.com"},
        ),
    ]  # fmt: skip


def _bucket(account: Account) -> list[Policy]:
    bucket = f"arn:aws:s3:::{account.bucket}"
    return [
        _allow(["s3:ListBucket", "s3:GetBucketLocation"], bucket),
        _allow(["s3:GetObject"], [f"{bucket}/{SEARCHES}/*", f"{bucket}/{DATA}/*"]),
        _allow(["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"], f"{bucket}/{SEARCHES}/*"),
    ]


def _image(account: Account) -> list[Policy]:
    return [
        _allow(["ecr:GetAuthorizationToken"], "*"),
        _allow(
            ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"],
            f"arn:aws:ecr:{account.region}:{account.number}:repository/{account.cluster}",
        ),
    ]


def _policy(*statements: Policy) -> Policy:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(actions: list[str], resource: str | list[str], **condition: dict[str, Any]) -> Policy:
    statement: Policy = {"Effect": "Allow", "Action": actions, "Resource": resource}
    return statement | ({"Condition": condition} if condition else {})
