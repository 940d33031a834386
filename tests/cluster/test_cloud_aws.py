"""An AWS account of moto's: what `prepare_aws` makes, and what `ray up cluster/gpu.yaml` and then its head ask for."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.client import BaseClient

from searchspace.cluster.clouds.cluster_limits import read_cluster_limits
from searchspace.cluster.clouds.fallback import machine_kinds
from searchspace.cluster.clouds.prepare_aws import AccountOptions, prepare
from searchspace.cluster.clouds.subnets import find_subnets
from searchspace.spec import parse_record
from tests.helpers.repository import ROOT
from tests.helpers.servers.iam import Request, allows, run_instances
from trainables.common.errors import UserError

GPU = ROOT / "cluster" / "gpu.yaml"
GIVEN = AccountOptions(bucket="results", ssh_from="203.0.113.7/32")
LIMITS = read_cluster_limits(str(GPU))
ACCOUNT = "123456789012"
"""Number of moto's account."""


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory) -> Iterator[str]:
    """A server that knows which instance types there are, as AWS does."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {"MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "true"}
    log = (tmp_path_factory.mktemp("moto") / "log").open("w")
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, env=environment, stdout=log, stderr=log) as server:
        while server.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
        server.terminate()


@pytest.fixture(autouse=True)
def account(endpoint, monkeypatch, tmp_path) -> None:
    """An empty account; and the token that `ray up` copies to the nodes is at home."""
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "moto", "AWS_SECRET_ACCESS_KEY": "moto",
        "AWS_DEFAULT_REGION": LIMITS.region, "AWS_EC2_METADATA_DISABLED": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")).close()
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("token")


def ports_open() -> list[tuple[Any, ...]]:
    """Of the cluster's security group: from and to which port, for which addresses and groups."""
    (group,) = boto3.client("ec2").describe_security_groups(GroupNames=["searchspace"])["SecurityGroups"]
    return [
        (
            rule.get("FromPort"), rule.get("ToPort"), [one["CidrIp"] for one in rule["IpRanges"] + rule["Ipv6Ranges"]],
            [pair["GroupId"] == group["GroupId"] for pair in rule["UserIdGroupPairs"]],
        )
        for rule in group["IpPermissions"]
    ]  # fmt: skip


def instances() -> list[dict[str, Any]]:
    reservations = boto3.client("ec2").describe_instances()["Reservations"]
    return [instance for reservation in reservations for instance in reservation["Instances"]]


def tags_of(thing: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in thing["Tags"]}


def check_machine(instance: dict[str, Any], profile: str) -> None:
    """What all machines have in common: a group, a token for metadata, an encrypted disk, tags for the bill."""
    ec2 = boto3.client("ec2")
    assert [group["GroupName"] for group in instance["SecurityGroups"]] == ["searchspace"]
    assert instance["IamInstanceProfile"]["Arn"].endswith(f"/{profile}")
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    assert instance["ImageId"].startswith("resolve:ssm:/aws/service/deeplearning/")
    (disk,) = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [instance["InstanceId"]]}])[
        "Volumes"
    ]
    assert (disk["Size"], disk["VolumeType"], disk["Encrypted"]) == (150, "gp3", True)
    assert instance["BlockDeviceMappings"][0]["Ebs"]["DeleteOnTermination"]
    assert tags_of(disk)["project"] == tags_of(instance)["project"] == "searchspace"
    assert tags_of(instance)["ray-cluster-name"] == "searchspace", "the head's rights are for these alone"


def test_an_account_is_prepared_and_can_be_again():
    registry, machines = prepare(GIVEN, LIMITS)
    assert registry.endswith(".dkr.ecr.us-west-2.amazonaws.com")
    subnets = find_subnets(boto3.client("ec2"), "searchspace")
    assert machines == 11 * len(subnets), "the head and 8 workers fit into a /28, of which AWS keeps 5"
    assert len({subnet["AvailabilityZone"] for subnet in subnets}) == len(subnets) > 1
    assert all(subnet["MapPublicIpOnLaunch"] for subnet in subnets), "there is no gateway for addresses inside"
    assert ports_open() == [(None, None, [], [True]), (22, 22, ["203.0.113.7/32"], [])]
    prepare(GIVEN.model_copy(update={"ssh_from": "198.51.100.0/24"}), LIMITS)
    assert find_subnets(boto3.client("ec2"), "searchspace") == subnets
    assert ports_open() == [(None, None, [], [True]), (22, 22, ["198.51.100.0/24"], [])], (
        "the old one is let in no more"
    )
    block = boto3.client("s3").get_public_access_block(Bucket="results")["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    (repository,) = boto3.client("ecr").describe_repositories()["repositories"]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    iam = boto3.client("iam")
    for name in ("searchspace-head", "searchspace-worker"):
        (role,) = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]
        assert role["RoleName"] == name
        assert iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []
        document = iam.get_role_policy(RoleName=name, PolicyName="searchspace")["PolicyDocument"]
        assert "arn:aws:s3:::results/searches/*" in json.dumps(document)
        assert len(json.dumps(document, separators=(",", ":"))) < 10_240, "AWS takes no longer ones"
    with pytest.raises(UserError, match="take a /26: end the cluster, delete its subnets"):
        prepare(GIVEN, LIMITS.model_copy(update={"workers": 32}))


@pytest.mark.parametrize("wrong", ["0.0.0.0/0", "203.0.113.7/24", "home", ""])
def test_the_world_and_nonsense_are_refused(wrong):
    with pytest.raises(UserError, match=r"--ssh-from"):
        parse_record(AccountOptions, {"bucket": "results", "ssh_from": wrong})


def test_what_is_needed_is_said():
    done = subprocess.run(
        [sys.executable, "-m", "searchspace.cluster.clouds.prepare_aws", "--ssh-from", "203.0.113.7/32"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert (done.returncode, done.stderr.splitlines()) == (
        2, ["error: --bucket '': expected a text of 3 to 63 characters"],
    )  # fmt: skip


def test_all_instance_types_are_as_the_file_says():
    ec2 = boto3.client("ec2")
    (gpu,) = [one for name, one in yaml.safe_load(GPU.read_text())["available_node_types"].items() if name == "gpu"]
    names = [kind["InstanceType"] for kind in machine_kinds(gpu["node_config"])]
    assert len(names) == len(set(names)) == 3
    found = ec2.describe_instance_types(InstanceTypes=names)["InstanceTypes"]
    assert [one["VCpuInfo"]["DefaultVCpus"] for one in found] == [gpu["resources"]["CPU"]] * 3
    assert [one["GpuInfo"]["Gpus"][0]["Count"] for one in found] == [gpu["resources"]["GPU"]] * 3


def bootstrapped() -> dict[str, Any]:
    """The configuration as the head gets it."""
    from ray.autoscaler._private.util import prepare_config

    from searchspace.cluster.clouds.aws import AWSInPriceOrder

    prepare(GIVEN, LIMITS)
    config = AWSInPriceOrder.fillout_available_node_types_resources(prepare_config(yaml.safe_load(GPU.read_text())))
    ready: dict[str, Any] = AWSInPriceOrder.bootstrap_config(config)
    return ready


@pytest.mark.slow
def test_the_head_asks_for_spot_machines_and_for_the_next_type_where_one_is_refused():
    from searchspace.cluster.clouds.aws import AWSInPriceOrder

    config = bootstrapped()
    node = config["available_node_types"]["gpu"]["node_config"]
    provider = AWSInPriceOrder(config["provider"], config["cluster_name"])
    assert len(provider.create_node(node, {"ray-node-type": "worker"}, 1)) == 1
    assert len(provider.create_node(node | {"InstanceType": "g0.sold-out"}, {"ray-node-type": "worker"}, 1)) == 1
    assert [one["InstanceType"] for one in instances()] == ["g4dn.xlarge", "g6.xlarge"]
    # Asked for one to three, moto gives one, as AWS does where it has no more of a type.
    assert len(provider.create_node(node, {"ray-node-type": "worker"}, 3)) == 3
    assert [one["InstanceType"] for one in instances()][2:] == ["g4dn.xlarge", "g6.xlarge", "g5.xlarge"]
    for instance in instances():
        assert instance["InstanceLifecycle"] == "spot"
        check_machine(instance, "searchspace-worker")
    provider.non_terminated_nodes({})
    provider.terminate_nodes([one["InstanceId"] for one in instances()])
    assert {one["State"]["Name"] for one in instances()} == {"terminated"}, "and not stopped"


@pytest.fixture
def calls(monkeypatch) -> list[tuple[str, dict[str, Any]]]:
    """Whatever AWS is asked, by Ray or by others: action and parameters."""
    made: list[tuple[str, dict[str, Any]]] = []
    real = BaseClient._make_api_call

    def keep(client: Any, operation: str, given: dict[str, Any]) -> Any:
        made.append((f"{client.meta.service_model.signing_name}:{operation}", given))
        return real(client, operation, given)

    monkeypatch.setattr(BaseClient, "_make_api_call", keep)
    return made


def requests_of(action: str, given: dict[str, Any]) -> list[Request]:
    """What AWS asks IAM for a call, with what it knows of the machines that the call names."""
    if action == "ec2:RunInstances":
        (template,) = boto3.client("ec2").describe_launch_templates(LaunchTemplateNames=["searchspace"])[
            "LaunchTemplates"
        ]
        return run_instances(given | {"LaunchTemplate": template}, LIMITS.region, ACCOUNT)
    if action not in {"ec2:CreateTags", "ec2:TerminateInstances"}:
        return [Request(action, "*")]
    names = given.get("Resources") or given["InstanceIds"]
    found = [one for one in instances() if one["InstanceId"] in names]
    return [
        Request(
            action, f"arn:aws:ec2:{LIMITS.region}:{ACCOUNT}:instance/{one['InstanceId']}",
            {f"aws:ResourceTag/{key}": value for key, value in tags_of(one).items()}
            | {"aws:TagKeys": [tag["Key"] for tag in given.get("Tags", [])]},
        )
        for one in found
    ]  # fmt: skip


@pytest.mark.slow
def test_the_heads_role_allows_what_rays_provider_asks_of_aws_and_needs_all_that_it_allows(calls):
    from ray.autoscaler.tags import STATUS_UP_TO_DATE, STATUS_WAITING_FOR_SSH

    from searchspace.cluster.clouds.aws import AWSInPriceOrder

    config = bootstrapped()
    policy = boto3.client("iam").get_role_policy(RoleName="searchspace-head", PolicyName="searchspace")[
        "PolicyDocument"
    ]
    calls.clear()  # what is asked from here on, the head asks
    provider = AWSInPriceOrder(config["provider"], config["cluster_name"])
    AWSInPriceOrder.fillout_available_node_types_resources(config)
    # As `searchspace-head`'s Ray does it: NodeProviderAdapter of the autoscaler, and NodeUpdater.
    tags = {"ray-node-type": "worker", "ray-node-name": "ray-searchspace-worker", "ray-user-node-type": "gpu",
            "ray-node-status": "uninitialized", "ray-launch-config": "hash", "ray-launch-request": "id"}  # fmt: skip
    provider.create_node(config["available_node_types"]["gpu"]["node_config"], tags, 2)
    made = provider.non_terminated_nodes({"ray-node-type": "worker"})
    for node in made:
        provider.internal_ip(node), provider.external_ip(node), provider.is_running(node)
        provider.set_node_tags(node, {"ray-node-status": STATUS_WAITING_FOR_SSH})
        provider.set_node_tags(node, {
            "ray-node-status": STATUS_UP_TO_DATE, "ray-runtime-config": "hash", "ray-file-mounts-contents": "hash",
        })  # fmt: skip
    provider.terminate_nodes(made)
    asked = list(calls)
    requests = [request for action, given in asked for request in requests_of(action, given)]
    assert made
    assert [request for request in requests if not allows(policy, request)] == []
    unused = [
        statement for statement in policy["Statement"]
        if not any(allows({"Statement": [statement]}, request) for request in requests)
        and not statement["Action"][0].startswith(("s3:", "ecr:"))
    ]  # fmt: skip
    assert unused == []


def ray_up(home: Path) -> subprocess.CompletedProcess[str]:
    """`ray up`, which gives up on SSH at once: moto's machines answer none."""
    environment = os.environ | {
        "HOME": str(home), "AUTOSCALER_NODE_START_WAIT_S": "1", "RAY_USAGE_STATS_ENABLED": "0",
        "PYTHONPATH": str(ROOT), "TMPDIR": str(home),
    }  # fmt: skip
    ray = str(Path(sys.executable).parent / "ray")
    return subprocess.run(
        [ray, "up", str(GPU), "--yes", "--no-config-cache"],
        capture_output=True, text=True, check=False, env=environment, timeout=200,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_ray_up_starts_the_head_alone(tmp_path):
    prepare(GIVEN, LIMITS)
    before = ports_open()
    done = ray_up(tmp_path)
    assert "Waiting for SSH to become available" in done.stdout + done.stderr
    (head,) = instances()
    assert head["InstanceType"] == "m6i.2xlarge"
    assert "InstanceLifecycle" not in head, "on demand"
    check_machine(head, "searchspace-head")
    assert (tmp_path / ".ssh" / "searchspace.pem").stat().st_mode & 0o777 == 0o600
    assert ports_open() == before, "Ray would have opened SSH to the world"
    iam = boto3.client("iam")
    assert {profile["InstanceProfileName"] for profile in iam.list_instance_profiles()["InstanceProfiles"]} == {
        "searchspace-head", "searchspace-worker",
    }, "Ray's own has EC2FullAccess and S3FullAccess"  # fmt: skip


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_ray_up_starts_nothing_in_an_account_that_is_not_prepared(tmp_path):
    done = ray_up(tmp_path)
    assert done.returncode != 0
    assert "run searchspace prepare-aws first" in done.stdout + done.stderr
    assert instances() == []
    groups = boto3.client("ec2").describe_security_groups()["SecurityGroups"]
    assert {group["GroupName"] for group in groups} == {"default"}
