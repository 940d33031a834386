"""`cluster/kuberay.yaml` is what KubeRay and Kubernetes take, and keeps its promises of who may do what."""

import shlex
from typing import Any

import pytest
import ray
import yaml
from pydantic import ValidationError

from tests.cluster.hosts import CHECKOUT
from tests.cluster.kuberay import read

TEXT = (CHECKOUT / "cluster" / "kuberay.yaml").read_text()


def manifests(text: str = TEXT) -> dict[str, Any]:
    return {found["kind"]: read(found) for found in yaml.safe_load_all(text)}


@pytest.fixture(scope="module")
def job() -> Any:
    return manifests()["RayJob"].spec


@pytest.fixture(scope="module")
def pods(job) -> dict[str, Any]:
    """Specifications of all pods that come of it."""
    cluster = job.ray_cluster_spec
    workers = {group.group_name: group.template.spec for group in cluster.worker_group_specs}
    redis = manifests()["Deployment"].spec.template.spec
    return {
        "head": cluster.head_group_spec.template.spec,
        "submitter": job.submitter_pod_template.spec,
        "redis": redis,
        **workers,
    }


@pytest.mark.parametrize(
    ("written", "instead", "told"),
    [
        ("enableInTreeAutoscaling", "enableAutoscaling", "enableAutoscaling"),
        ("mode: token", "mode: tokens", "authOptions.mode"),
        ("maxReplicas: 32", 'maxReplicas: "32"', "maxReplicas"),
        ("claimName: searchspace", "claim: searchspace", "claim"),
        ("groupName: gpu", "labels: {}", "groupName"),
        ('num-cpus: "0"', "num-cpus: 0", "num-cpus"),
        ("operator: Exists", "operation: Exists", "operation"),
    ],
)
def test_a_slip_is_refused(written, instead, told):
    assert written in TEXT
    with pytest.raises(ValidationError, match=told):
        manifests(TEXT.replace(written, instead))


def test_it_is_all_there():
    assert manifests().keys() == {"PersistentVolumeClaim", "Service", "Deployment", "RayJob"}


def test_only_who_shows_the_token_gets_in_and_no_secret_is_in_the_file(job):
    cluster = job.ray_cluster_spec
    assert (cluster.auth_options.mode, cluster.auth_options.secret_name) == ("token", "searchspace")
    password = cluster.gcs_fault_tolerance_options.redis_password
    assert password.value is None
    assert password.value_from.secret_key_ref.key == "redis-password"


def test_nobody_is_root_and_everything_is_bounded(job, pods):
    for name, pod in pods.items():
        assert pod.security_context.run_as_non_root, name
        for container in pod.containers:
            assert container.security_context.allow_privilege_escalation is False, name
            assert container.security_context.capabilities.drop == ["ALL"], name
            assert container.resources.limits["memory"], name
    assert job.ray_cluster_spec.autoscaler_options.resources.limits["memory"]


def test_the_search_is_on_a_machine_that_stays_and_trains_nothing_there(job, pods):
    cluster = job.ray_cluster_spec
    assert cluster.enable_in_tree_autoscaling
    assert cluster.head_group_spec.ray_start_params["num-cpus"] == "0"
    assert yaml.safe_load(yaml.safe_load(cluster.head_group_spec.ray_start_params["resources"])) == {"on_demand": 1000}
    assert pods["head"].node_selector is None
    (group,) = cluster.worker_group_specs
    assert (group.min_replicas, group.ray_start_params) == (0, {})
    assert list(pods["gpu"].node_selector) == ["cloud.google.com/gke-spot"]
    assert int(pods["gpu"].containers[0].resources.limits["nvidia.com/gpu"]) == 8


def test_what_tries_again_goes_on_where_all_nodes_write(job, pods):
    assert job.backoff_limit > 0
    assert job.shutdown_after_job_finishes
    assert not set(job.entrypoint) & set("'\"$`\\"), "two shells take it apart"
    command = shlex.split(job.entrypoint)
    assert command[:2] == ["bash", "/opt/searchspace/cluster/go_on.sh"]
    mounts = {name: {mount.mount_path for mount in pods[name].containers[0].volume_mounts} for name in ("head", "gpu")}
    assert all(any(command[2].startswith(path) for path in paths) for paths in mounts.values())
    assert {pods[name].security_context.fs_group_change_policy for name in mounts} == {"OnRootMismatch"}
    assert manifests()["PersistentVolumeClaim"].spec.access_modes == ["ReadWriteMany"]


def test_it_is_of_the_ray_that_is_installed(job):
    assert job.ray_cluster_spec.ray_version.split(".")[:2] == ray.__version__.split(".")[:2]
