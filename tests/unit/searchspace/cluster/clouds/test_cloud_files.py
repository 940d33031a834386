"""`cluster/gpu.yaml` and `cluster/gcp.yaml`, as far as they can be judged without a cloud: by Ray, botocore, Google."""

import inspect
import ipaddress
import json
import random
import re
import tomllib
from pathlib import Path
from typing import Any

import botocore.session
import googleapiclient.discovery_cache
import pytest
import yaml
from botocore.validate import ParamValidator
from ray.autoscaler._private.util import prepare_config, validate_config

from searchspace.cluster.clouds.cluster_limits import read_cluster_limits
from searchspace.cluster.clouds.fallback import launch_in_order, machine_kinds
from searchspace.cluster.clouds.subnets import free_blocks, prefix_for
from tests.helpers.repository import ROOT
from trainables.common.errors import UserError

CLUSTER = ROOT / "cluster"
RAY_ONLY = {"SubnetIds"}
"""What Ray's providers take out of a node's configuration themselves."""


def load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((CLUSTER / name).read_text())
    return loaded


@pytest.fixture(params=["gpu.yaml", "gcp.yaml"])
def config(request) -> dict[str, Any]:
    return load(request.param)


def test_ray_takes_the_file(config):
    prepared = prepare_config(config)
    validate_config(prepared)
    assert set(prepared["available_node_types"]) == {"head", "gpu"}


def test_nothing_is_kept_and_growth_has_an_end(config):
    head, gpu = (config["available_node_types"][name] for name in ("head", "gpu"))
    assert 0 < gpu["max_workers"] <= config["max_workers"] <= 8
    assert (gpu["min_workers"], head["max_workers"]) == (0, 0)
    assert config["idle_timeout_minutes"] == 5
    assert config["provider"]["cache_stopped_nodes"] is False
    assert head["resources"] == {"CPU": 0, "GPU": 0, "on_demand": 1000}
    assert "on_demand" not in gpu["resources"]


def test_the_token_reaches_the_container(config):
    assert "--env RAY_AUTH_MODE=token" in config["docker"]["run_options"]
    assert config["file_mounts"] == {"/home/ray/.ray": "~/.ray"}
    inside = f"/tmp/ray_tmp_mount/{config['cluster_name']}/home/ray/.ray/auth_token"
    assert any(f"chmod 600 {inside}" in command for command in config["initialization_commands"])


def test_only_workers_are_spot():
    aws = load("gpu.yaml")["available_node_types"]
    assert "InstanceMarketOptions" not in aws["head"]["node_config"]
    assert aws["gpu"]["node_config"]["InstanceMarketOptions"]["MarketType"] == "spot"
    gcp = load("gcp.yaml")["available_node_types"]
    assert "scheduling" not in gcp["head"]["node_config"]
    assert gcp["gpu"]["node_config"]["scheduling"]["provisioningModel"] == "SPOT"


@pytest.mark.parametrize("file", sorted(CLUSTER.glob("g*.yaml")), ids=lambda file: file.name)
def test_the_world_is_let_in_nowhere(file):
    networks = [ipaddress.ip_network(text) for text in re.findall(r"[\d.]+/\d+", file.read_text())]
    assert networks
    assert all(network.prefixlen >= 20 for network in networks)
    assert "dashboard-host=127.0.0.1" in file.read_text()


def test_ray_knows_the_options_of_its_commands(config):
    from ray.scripts import scripts  # which takes seconds to import

    commands = [*config["head_start_ray_commands"], *config["worker_start_ray_commands"]]
    starts = [command.split()[2:] for command in commands if command.startswith("ray start")]
    assert len(starts) == 2
    for start in starts:
        scripts.start.make_context("start", start)


def test_a_spot_node_is_watched(config):
    cloud = config["provider"]["module"].split(".")[3]
    watching = config["worker_start_ray_commands"][-1]
    assert f"python -m searchspace.cluster.clouds.spot {cloud} " in watching
    assert watching.startswith("setsid --fork flock --nonblock"), "it outlives the shell, and there is one of it"


def test_botocore_takes_every_instance_type():
    shape = botocore.session.get_session().get_service_model("ec2").operation_model("RunInstances").input_shape
    for node_type in prepare_config(load("gpu.yaml"))["available_node_types"].values():
        for kind in machine_kinds(node_type["node_config"]):
            given = {key: value for key, value in kind.items() if key not in RAY_ONLY}
            report = ParamValidator().validate(given | {"MinCount": 1, "MaxCount": 1}, shape)
            assert not report.has_errors(), report.generate_report()


def test_google_takes_every_machine_type():
    documents = Path(googleapiclient.discovery_cache.__file__).parent / "documents"
    schemas = json.loads((documents / "compute.v1.json").read_text())["schemas"]
    for node_type in load("gcp.yaml")["available_node_types"].values():
        for kind in machine_kinds(node_type["node_config"]):
            check_google(kind, schemas["Instance"], schemas, "Instance")


def check_google(value: Any, schema: dict[str, Any], schemas: dict[str, Any], where: str) -> None:
    """Every name is one that Google's discovery document has, with a value of its type and one of its choices."""
    schema = schemas[schema["$ref"]] if "$ref" in schema else schema
    types = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}
    wanted = int if schema.get("format") == "int64" else types[schema["type"]]  # which answers write as text
    assert isinstance(value, wanted), where
    if "enum" in schema:
        assert value in schema["enum"], where
    if isinstance(value, dict):
        for name, inner in value.items():
            known = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
            assert known, f"{where}.{name}: Google has no such field"
            check_google(inner, known, schemas, f"{where}.{name}")
    if isinstance(value, list):
        for inner in value:
            check_google(inner, schema["items"], schemas, f"{where}[]")


def test_a_misspelt_field_is_found():
    schemas = {"Instance": {"type": "object", "properties": {"machineType": {"type": "string"}}}}
    with pytest.raises(AssertionError, match="no such field"):
        check_google({"machinetype": "n1"}, schemas["Instance"], schemas, "Instance")


def test_the_image_has_the_version_of_the_project():
    version = tomllib.loads((CLUSTER.parent / "pyproject.toml").read_text())["project"]["version"]
    for file in ("gpu.yaml", "gcp.yaml", "Dockerfile"):
        assert set(re.findall(r"searchspace:([\d.]+)", (CLUSTER / file).read_text())) == {version}


def test_the_image_is_pinned_and_not_roots():
    lines = (CLUSTER / "Dockerfile").read_text().splitlines()
    assert any(re.fullmatch(r"ARG BASE=python:3\.11-slim-bookworm@sha256:[0-9a-f]{64}", line) for line in lines)
    assert [line for line in lines if line.startswith("USER")] == ["USER 1000"]
    assert any("useradd --uid 1000" in line for line in lines)
    ignored = (CLUSTER / "Dockerfile.dockerignore").read_text().splitlines()
    copied = [source for line in lines if line.startswith("COPY") for source in line.split()[1:-1]]
    assert {"pyproject.toml", "searchspace", "trainables"} <= set(copied)
    assert [source for source in copied if f"!{source}" not in ignored] == []
    assert [source for source in copied if not (CLUSTER.parent / source).exists()] == []


@pytest.mark.parametrize(("machines", "prefix"), [(1, 28), (11, 28), (12, 27), (27, 27), (28, 26), (65531, 16)])
def test_a_subnet_is_as_large_as_its_machines_take(machines, prefix):
    assert prefix_for(machines) == prefix


def test_more_machines_than_a_subnet_can_have_are_refused():
    with pytest.raises(ValueError, match="65532 machines are more"):
        prefix_for(65532)


@pytest.mark.parametrize("seed", range(20))
def test_blocks_for_subnets_overlap_nothing(seed):
    rng = random.Random(seed)
    whole = [ipaddress.ip_network("172.31.0.0/24"), ipaddress.ip_network("10.9.0.0/25")]
    taken = [rng.choice(list(rng.choice(whole).subnets(new_prefix=rng.choice([25, 26, 28])))) for _ in range(3)]
    found = free_blocks([str(one) for one in whole], [str(one) for one in taken], 28, 3)
    networks = [ipaddress.ip_network(block) for block in found]
    for number, block in enumerate(networks):
        assert not any(block.overlaps(other) for other in [*taken, *networks[:number]])
        assert any(block.subnet_of(one) for one in whole)
    with pytest.raises(ValueError, match="has room for"):
        free_blocks([str(one) for one in whole], [str(one) for one in taken], 28, 25)


def test_the_limits_are_those_of_the_file(tmp_path):
    limits = read_cluster_limits(str(CLUSTER / "gpu.yaml"))
    assert limits.types == ("g4dn.xlarge", "g6.xlarge", "g5.xlarge")
    assert (limits.region, limits.workers, limits.disk_gb, limits.key_name) == ("us-west-2", 8, 150, "searchspace")
    (tmp_path / "c.yaml").write_text((CLUSTER / "gpu.yaml").read_text().replace("g6.xlarge", "g6.2xlarge"))
    assert "g6.2xlarge" in read_cluster_limits(str(tmp_path / "c.yaml")).types


@pytest.mark.parametrize(
    "text", ["", "[]", "a: 1", "{", "max_workers: -1", "available_node_types: 3", "provider: {region: 4}", "\0"]
)
def test_a_file_without_limits_is_one_line(text, tmp_path):
    (tmp_path / "c.yaml").write_text(text)
    for file in (tmp_path / "c.yaml", tmp_path, tmp_path / "none.yaml"):
        with pytest.raises(UserError, match=r"^--cluster '") as error:
            read_cluster_limits(str(file))
        assert "\n" not in str(error.value)


GOOGLES = {
    ("instances", "insert"): {
        "compute.instances.create", "compute.disks.create", "compute.instances.setLabels",
        "compute.instances.setServiceAccount",
    },
    ("instances", "delete"): {"compute.instances.delete"}, ("instances", "get"): {"compute.instances.get"},
    ("instances", "list"): {"compute.instances.list"}, ("instances", "setLabels"): {"compute.instances.setLabels"},
    ("zoneOperations", "get"): {"compute.zoneOperations.get"},
    ("instances", "start"): set(), ("instances", "stop"): set(),  # for `cache_stopped_nodes`, which is off
}  # fmt: skip
"""Permissions that Google's API reference states for each method that Ray's provider calls, with this file's machines;
those on the subnet and the account are granted there."""


def test_the_heads_role_at_google_is_what_rays_provider_calls():
    from ray.autoscaler._private.gcp.node import GCPCompute

    called = set(re.findall(r"self\.resource\.(\w+)\(\)\s*\.(\w+)\(", inspect.getsource(GCPCompute)))
    assert called == set(GOOGLES)
    text = (CLUSTER / "gcp.yaml").read_text()
    granted = text.partition("--permissions=")[2].partition("workers=")[0]
    assert set(re.findall(r"compute\.\w+\.\w+", granted)) == set().union(*GOOGLES.values())
    worker = load("gcp.yaml")["available_node_types"]["gpu"]["node_config"]
    assert not {"metadata", "tags", "minCpuPlatform", "resourcePolicies"} & set(worker), "which take more permissions"
    roles = set(re.findall(r"roles/[a-z]\w+\.\w+", text))
    assert roles == {
        "roles/storage.legacyBucketReader", "roles/storage.objectUser", "roles/storage.objectViewer",
        "roles/artifactregistry.reader", "roles/compute.networkUser", "roles/iam.serviceAccountUser",
    }, "none of them an administrator's"  # fmt: skip


def test_workers_at_google_have_the_name_that_the_role_is_bound_to():
    from ray.autoscaler._private.gcp.node import _generate_node_name
    from ray.autoscaler.v2.instance_manager import node_provider

    assert '"ray-{}-worker".format(' in inspect.getsource(node_provider)
    prefix = re.findall(r"instances/(ray-[\w-]+)", (CLUSTER / "gcp.yaml").read_text())[0]
    assert _generate_node_name({"ray-node-name": "ray-searchspace-worker"}, "compute").startswith(prefix)
    assert not "ray-searchspace-head-1-compute".startswith(prefix)


class Cloud:
    """A launcher that has so many machines of each type."""

    def __init__(self, **stock: int) -> None:
        self.stock, self.asked = stock, list[str]()

    def __call__(self, node_config: dict[str, Any], tags: dict[str, str], count: int) -> dict[str, Any]:
        kind = node_config["kind"]
        self.asked.append(kind)
        given = min(count, self.stock.get(kind, 0))
        if not given:
            raise RuntimeError(f"no {kind}")
        self.stock[kind] -= given
        return {f"{kind}{n}": node_config for n in range(given)}


NODE = {"kind": "cheap", "disk": 1, "otherwise": [{"kind": "middle"}, {"kind": "dear", "disk": 2}]}


def test_the_cheapest_that_is_to_be_had():
    assert launch_in_order(Cloud(cheap=2, middle=2), NODE, {}, 2).keys() == {"cheap0", "cheap1"}
    assert launch_in_order(Cloud(dear=1), NODE, {}, 1) == {"dear0": {"kind": "dear", "disk": 2}}


def test_what_is_missing_is_made_up_by_the_next():
    cloud = Cloud(cheap=1, middle=1, dear=5)
    assert launch_in_order(cloud, NODE, {}, 3).keys() == {"cheap0", "middle0", "dear0"}
    assert cloud.asked == ["cheap", "middle", "dear"]
    assert launch_in_order(Cloud(cheap=1), NODE, {}, 3).keys() == {"cheap0"}, "what was made is not lost"


def test_nothing_to_be_had_is_said():
    with pytest.raises(RuntimeError, match="no dear"):
        launch_in_order(Cloud(), NODE, {}, 1)


def test_google_is_asked_for_one_machine_at_a_time(monkeypatch):
    from ray.autoscaler._private.gcp.node_provider import GCPNodeProvider

    from searchspace.cluster.clouds.gcp import GCPInPriceOrder

    cloud, counts = Cloud(cheap=1, dear=1), list[int]()

    def insert(provider: Any, config: dict[str, Any], tags: dict[str, str], count: int) -> dict[str, Any]:
        counts.append(count)
        return cloud(config, tags, count)

    monkeypatch.setattr(GCPNodeProvider, "create_node", insert)
    provider = object.__new__(GCPInPriceOrder)  # its own start asks Google who it is
    assert provider.create_node(NODE, {}, 3).keys() == {"cheap0", "dear0"}
    assert set(counts) == {1}
    with pytest.raises(RuntimeError, match="no dear"):
        provider.create_node(NODE, {}, 1)
