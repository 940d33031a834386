"""What KubeRay's RayJob is made of: the fields of its published API reference, of which its CRDs are made as well.

Taken from ray-project/kuberay (Apache-2.0), `docs/reference/api.md` at commit a67101b2c616, which is newer than release
1.5; what no release has yet is left out. Pods are the Kubernetes client's own models. All refuse unknown fields.
"""

from typing import Any, Literal

from kubernetes import client
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Part(BaseModel):
    """Types are meant as they are: a number in quotes is none."""

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class ScaleStrategy(Part):
    workers_to_delete: list[str] | None = None


class WorkerGroupSpec(Part):
    group_name: str
    template: client.V1PodTemplateSpec
    suspend: bool | None = None
    replicas: int | None = None
    min_replicas: int | None = None
    max_replicas: int | None = None
    idle_timeout_seconds: int | None = None
    resources: dict[str, str] | None = None
    labels: dict[str, str] | None = None
    ray_start_params: dict[str, str] | None = None
    scale_strategy: ScaleStrategy | None = None
    num_of_hosts: int | None = None


class HeadGroupSpec(Part):
    template: client.V1PodTemplateSpec
    head_service: client.V1Service | None = None
    enable_ingress: bool | None = None
    resources: dict[str, str] | None = None
    labels: dict[str, str] | None = None
    ray_start_params: dict[str, str] | None = None
    service_type: str | None = None


class RedisCredential(Part):
    value: str | None = None
    value_from: client.V1EnvVarSource | None = None


class GcsFaultToleranceOptions(Part):
    redis_username: RedisCredential | None = None
    redis_password: RedisCredential | None = None
    external_storage_namespace: str | None = None
    redis_address: str | None = None


class AutoscalerOptions(Part):
    resources: client.V1ResourceRequirements | None = None
    image: str | None = None
    image_pull_policy: str | None = None
    security_context: client.V1SecurityContext | None = None
    idle_timeout_seconds: int | None = None
    upscaling_mode: Literal["Default", "Aggressive", "Conservative"] | None = None
    version: Literal["v1", "v2"] | None = None
    env: list[client.V1EnvVar] | None = None
    env_from: list[client.V1EnvFromSource] | None = None
    volume_mounts: list[client.V1VolumeMount] | None = None


class AuthOptions(Part):
    mode: Literal["disabled", "token"] | None = None
    secret_name: str | None = None


class RayClusterUpgradeStrategy(Part):
    type: Literal["Recreate", "None"] | None = None


class RayClusterSpec(Part):
    head_group_spec: HeadGroupSpec
    upgrade_strategy: RayClusterUpgradeStrategy | None = None
    auth_options: AuthOptions | None = None
    suspend: bool | None = None
    managed_by: str | None = None
    autoscaler_options: AutoscalerOptions | None = None
    head_service_annotations: dict[str, str] | None = None
    enable_in_tree_autoscaling: bool | None = None
    gcs_fault_tolerance_options: GcsFaultToleranceOptions | None = None
    ray_version: str | None = None
    worker_group_specs: list[WorkerGroupSpec] | None = None


class SubmitterConfig(Part):
    backoff_limit: int | None = None


class RayJobSpec(Part):
    active_deadline_seconds: int | None = None
    backoff_limit: int | None = None
    ray_cluster_spec: RayClusterSpec | None = None
    submitter_pod_template: client.V1PodTemplateSpec | None = None
    metadata: dict[str, str] | None = None
    cluster_selector: dict[str, str] | None = None
    submitter_config: SubmitterConfig | None = None
    managed_by: str | None = None
    entrypoint: str | None = None
    runtime_env_yaml: str | None = Field(None, alias="runtimeEnvYAML")
    job_id: str | None = None
    submission_mode: Literal["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"] | None = None
    entrypoint_resources: str | None = None
    entrypoint_num_cpus: float | None = None
    entrypoint_num_gpus: float | None = None
    ttl_seconds_after_finished: int | None = None
    shutdown_after_job_finishes: bool | None = None
    suspend: bool | None = None


class RayJob(Part):
    api_version: Literal["ray.io/v1"]
    kind: Literal["RayJob"]
    metadata: client.V1ObjectMeta
    spec: RayJobSpec


KINDS = {
    "PersistentVolumeClaim": client.V1PersistentVolumeClaim,
    "Service": client.V1Service,
    "Deployment": client.V1Deployment,
    "NetworkPolicy": client.V1NetworkPolicy,
    "RayJob": RayJob,
}


def read(manifest: dict[str, Any]) -> Any:
    """The manifest as what it says it is; raises `ValidationError` for what an API server would refuse."""
    return KINDS[manifest["kind"]].model_validate(manifest, by_alias=True, by_name=False)
