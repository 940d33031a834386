"""What the nodes of `cluster/gpu.yaml` may do in an AWS account: as little as they can live with."""

from typing import Any

Policy = dict[str, Any]

TRUST: Policy = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
"""EC2 instances, and nobody else, take these roles."""
IMAGES = "arn:aws:ssm:*::parameter/aws/service/deeplearning/*"
"""Amazon's public names for its machine images."""


def worker_policy(bucket: str, repository: str, region: str, account: str) -> Policy:
    """Results in one bucket, the container image from one repository."""
    return _policy(*_results(bucket), *_image(repository, region, account))


def head_policy(bucket: str, repository: str, region: str, account: str, cluster: str) -> Policy:
    """As a worker, and: start spot instances of this cluster, tag and end them, and give them the worker's role.

    On-demand instances are left to whoever runs `ray up`, so a program on the cluster cannot start any.
    """
    ec2 = f"arn:aws:ec2:{region}:{account}"
    own = {"StringEquals": {"aws:ResourceTag/ray-cluster-name": cluster}}
    return _policy(
        *_results(bucket),
        *_image(repository, region, account),
        _allow(["ec2:DescribeInstances", "ec2:DescribeInstanceTypes"], "*"),
        _allow(
            ["ec2:RunInstances"], f"{ec2}:instance/*",
            StringEquals={"aws:RequestTag/ray-cluster-name": cluster, "ec2:InstanceMarketType": "spot"},
        ),
        _allow(
            ["ec2:RunInstances"],
            [
                f"arn:aws:ec2:{region}::image/*",
                *(f"{ec2}:{kind}/*" for kind in (
                    "key-pair", "launch-template", "network-interface", "security-group", "spot-instances-request",
                    "subnet", "volume",
                )),
            ],
        ),
        _allow(["ec2:CreateTags"], f"{ec2}:*/*", StringEquals={"ec2:CreateAction": "RunInstances"}),
        _allow(["ec2:CreateTags", "ec2:TerminateInstances"], f"{ec2}:instance/*", **own),
        _allow(["ssm:GetParameters"], IMAGES),
        _allow(["iam:PassRole"], f"arn:aws:iam::{account}:role/{cluster}-worker"),
    )  # fmt: skip


def _results(bucket: str) -> list[Policy]:
    return [
        _allow(["s3:ListBucket", "s3:GetBucketLocation"], f"arn:aws:s3:::{bucket}"),
        _allow(
            ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"], f"arn:aws:s3:::{bucket}/*"
        ),
    ]


def _image(repository: str, region: str, account: str) -> list[Policy]:
    return [
        _allow(["ecr:GetAuthorizationToken"], "*"),
        _allow(
            ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"],
            f"arn:aws:ecr:{region}:{account}:repository/{repository}",
        ),
    ]


def _policy(*statements: Policy) -> Policy:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(actions: list[str], resource: str | list[str], **condition: dict[str, str]) -> Policy:
    statement: Policy = {"Effect": "Allow", "Action": actions, "Resource": resource}
    return statement | ({"Condition": condition} if condition else {})
