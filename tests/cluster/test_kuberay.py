"""`cluster/kuberay.yaml` is what KubeRay and Kubernetes take, and keeps its promises of who may do what."""

import ipaddress
import re
import shlex
from typing import Any

import pytest
import ray
import yaml
from pydantic import ValidationError

from tests.helpers.cluster.hosts import CHECKOUT
from tests.helpers.cluster.kuberay import read

REFERENCE = r"[a-z0-9.:/-]+@sha256:[0-9a-f]{64}"
"""An image by its digest, as Kubernetes takes it."""
TEXT = (CHECKOUT / "cluster" / "kuberay.yaml").read_text()


def manifests(text: str = TEXT) -> dict[str, Any]:
    """By kind, with which a file has one of each, but for network policies: theirs are below their kind by name."""
    found: dict[str, Any] = {"NetworkPolicy": {}}
    for manifest in yaml.safe_load_all(text):
        if manifest["kind"] == "NetworkPolicy":
            found["NetworkPolicy"][manifest["metadata"]["name"]] = read(manifest).spec
        else:
            found[manifest["kind"]] = read(manifest)
    return found


@pytest.fixture(scope="module")
def job() -> Any:
    return manifests()["RayJob"].spec


@pytest.fixture(scope="module")
def templates(job) -> dict[str, Any]:
    """Templates of all pods that come of it."""
    cluster = job.ray_cluster_spec
    workers = {group.group_name: group.template for group in cluster.worker_group_specs}
    return {
        "head": cluster.head_group_spec.template, "submitter": job.submitter_pod_template,
        "redis": manifests()["Deployment"].spec.template, **workers,
    }  # fmt: skip


@pytest.fixture(scope="module")
def pods(templates) -> dict[str, Any]:
    """Their specifications."""
    return {name: template.spec for name, template in templates.items()}


@pytest.mark.parametrize(
    ("written", "instead", "told"),
    [
        ("enableInTreeAutoscaling", "enableAutoscaling", "enableAutoscaling"),
        ("mode: token", "mode: tokens", "authOptions.mode"),
        ("maxReplicas: 32", 'maxReplicas: "32"', "maxReplicas"),
        ("claimName: searchspace", "claim: searchspace", "claim"),
        ("groupName: gpu", "labels: {}", "groupName"),
        ('num-cpus: "0"', "num-cpus: 0", "num-cpus"),
        ("readOnlyRootFilesystem", "readOnlyRootFileSystem", "readOnlyRootFileSystem"),
        ("policyTypes: [Ingress, Egress]", "policyType: [Ingress, Egress]", "policyType"),
        ("expirationSeconds: 3600", 'expirationSeconds: "1h"', "expirationSeconds"),
        ("operator: Exists", "operation: Exists", "operation"),
    ],
)
def test_a_slip_is_refused(written, instead, told):
    assert written in TEXT
    with pytest.raises(ValidationError, match=told):
        manifests(TEXT.replace(written, instead))


def test_it_is_all_there():
    assert manifests().keys() == {"PersistentVolumeClaim", "Service", "Deployment", "NetworkPolicy", "RayJob"}


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
            check_confined(container)
    check_confined(job.ray_cluster_spec.autoscaler_options)


def check_confined(container: Any) -> None:
    """No rights beyond its user's, nothing of the image written, bounded; privileges are not asked for anywhere."""
    context = container.security_context
    assert (context.allow_privilege_escalation, context.read_only_root_filesystem) == (False, True)
    assert context.capabilities.drop == ["ALL"]
    assert (context.capabilities.add, context.privileged, context.run_as_user) == (None, None, None)
    assert container.resources.limits.keys() >= {"cpu", "memory"}


def test_no_pod_has_a_way_to_its_machine_and_all_are_filtered(pods):
    for name, pod in pods.items():
        assert pod.security_context.seccomp_profile.type == "RuntimeDefault", name
        assert (pod.host_network, pod.host_pid, pod.host_ipc, pod.share_process_namespace) == (None,) * 4, name
        for volume in pod.volumes:
            kinds = {"persistent_volume_claim", "empty_dir", "projected"}
            assert {key for key, value in volume.model_dump().items() if value} <= kinds | {"name"}, name
            assert volume.empty_dir is None or volume.empty_dir.size_limit, "a full one is not the machine's full disk"


def test_what_programs_write_to_is_mounted(pods, job):
    """Ray and Python write to /tmp and below HOME; the rest of the image is read-only."""
    for name in ("head", "gpu", "submitter"):
        mounted = {mount.mount_path for mount in pods[name].containers[0].volume_mounts}
        assert mounted >= {"/tmp", "/home/ray"}, name
    assert {mount.mount_path for mount in job.ray_cluster_spec.autoscaler_options.volume_mounts} >= {
        "/tmp",
        "/home/ray",
    }
    for name, pod in pods.items():
        mounts = [mount for container in pod.containers for mount in container.volume_mounts]
        assert {mount.name for mount in mounts} <= {volume.name for volume in pod.volumes}, name


def test_the_autoscaler_alone_has_the_rights_of_the_head_in_kubernetes(pods, job):
    for name, pod in pods.items():
        assert pod.automount_service_account_token is False, name
        mounts = [mount for container in pod.containers for mount in container.volume_mounts]
        assert not [mount for mount in mounts if "secrets" in mount.mount_path or mount.name == "kubernetes"], name
    (mount,) = [m for m in job.ray_cluster_spec.autoscaler_options.volume_mounts if m.name == "kubernetes"]
    from ray.autoscaler._private.kuberay import node_provider

    (volume,) = [volume for volume in pods["head"].volumes if volume.name == "kubernetes"]
    token, authority, _ = volume.projected.sources
    assert f"{mount.mount_path}/{token.service_account_token.path}" == node_provider.IN_CLUSTER_TOKEN_PATH
    assert f"{mount.mount_path}/{authority.config_map.items[0].path}" == node_provider.IN_CLUSTER_CA_CERT_PATH
    lives = token.service_account_token.expiration_seconds
    assert lives > node_provider.TOKEN_REFRESH_PERIOD.total_seconds(), "it is read again while it is valid"


def images(pods: dict[str, Any]) -> set[str]:
    return {container.image for pod in pods.values() for container in pod.containers}


def test_one_image_runs_and_nothing_starts_before_its_digest_is_set(pods):
    (image,) = images(pods)
    assert image == "registry.example.com/searchspace@sha256:SET"
    assert not re.fullmatch(REFERENCE, image), "Kubernetes refuses it"
    assert re.fullmatch(REFERENCE, image.replace("SET", "0" * 64))
    assert TEXT.count("image: ") == TEXT.count("sha256:SET") + TEXT.count("image: *image")


FLOWS = {
    ("head", "head", "any"), ("head", "gpu", "any"), ("gpu", "head", "any"), ("gpu", "gpu", "any"),
    ("submitter", "head", 8265), ("operator", "head", 8265), ("head", "redis", 6379),
    *((source, "names", 53) for source in ("head", "gpu", "submitter")),
    ("head", "internet", 443), ("gpu", "internet", 443), ("head", "internet", 6443),
}  # fmt: skip
"""Who may open which port of whom; in and out of pods that are not of this file, the other side has its own say."""
OTHERS = {
    "operator": {"app.kubernetes.io/name": "kuberay-operator"}, "stranger": {"app": "web"}, "names": {"k8s-app": "dns"},
    "internet": {}, "metadata": {},
}  # fmt: skip
ADDRESSES = {"internet": "93.184.216.34", "metadata": "169.254.169.254"}
NAMESPACES = {"names": "kube-system"}


@pytest.mark.parametrize("port", [53, 443, 6379, 6443, 8265, 10001, 22, 80, 65535])
def test_nobody_else_talks_to_anybody(port, templates):
    labels = {name: template.metadata.labels for name, template in templates.items()} | OTHERS
    rules = manifests()["NetworkPolicy"].values()
    policed = set(templates)
    for source in labels:
        for target in labels:
            if not {source, target} & policed or source in ADDRESSES:
                continue
            out = source not in policed or passes(rules, "egress", labels, source, target, port)
            into = target not in policed or passes(rules, "ingress", labels, target, source, port)
            allowed = (source, target, port) in FLOWS or (source, target, "any") in FLOWS
            assert (out and into) == allowed, (source, target, port)


def passes(rules: Any, way: str, labels: dict[str, Any], pod: str, peer: str, port: int) -> bool:
    """Whether some policy that selects `pod` lets the connection to or from `peer` pass."""
    mine = [rule for rule in rules if selects(rule.pod_selector, labels[pod])]
    assert all(way.title() in rule.policy_types for rule in mine)
    assert mine, pod
    return any(
        any(is_peer(one, labels, peer) for one in (part._from if way == "ingress" else part.to))
        and (not part.ports or any(one.port == port and one.protocol in {"TCP", "UDP"} for one in part.ports))
        for rule in mine
        for part in getattr(rule, way) or []
    )


def selects(selector: Any, labels: dict[str, str]) -> bool:
    assert selector.match_expressions is None
    return (selector.match_labels or {}).items() <= labels.items()


def is_peer(one: Any, labels: dict[str, Any], peer: str) -> bool:
    if one.ip_block:
        address = ipaddress.ip_address(ADDRESSES.get(peer, "10.0.0.1"))
        out = [ipaddress.ip_network(text) for text in one.ip_block._except]
        # Whether an address rule holds for pods depends on the network plugin; only those outside are meant.
        return peer in ADDRESSES and not any(address in network for network in out)
    if peer in ADDRESSES:
        return False
    namespace = {"kubernetes.io/metadata.name": NAMESPACES.get(peer, "ours")}
    if one.namespace_selector and not selects(one.namespace_selector, namespace):
        return False
    if not one.namespace_selector and peer in NAMESPACES:
        return False
    return one.pod_selector is None or selects(one.pod_selector, labels[peer])


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
