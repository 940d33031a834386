"""Private and undocumented parts of Ray that this package uses; no other module of it names any.

`test_ray_compat.py` names the part that a release of Ray has changed. Where Ray has a public way, a part
that is missing is replaced by it.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import psutil

from trainables.common.errors import UserError

RAY_VARIABLES = {
    "RAY_TRAIN_ENABLE_CONTROLLER_STRUCTURED_LOGGING": "0",
    "RAY_TRAIN_ENABLE_WORKER_STRUCTURED_LOGGING": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "RAY_DEDUP_LOGS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray starts as many processes at a time as there are cores, and warns of more; most of a start is waiting.
    "RAY_worker_maximum_startup_concurrency": "16",
    # A gang may wait minutes for a node. By default, Ray Train withdraws its request after a minute, and an autoscaler
    # follows requests.
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "3600",
}
"""Environment variables of every process of Ray: few logs, and waiting for nodes."""
HEALTH_CHECK_TIMEOUT = "RAY_TRAIN_WORKER_HEALTH_CHECK_TIMEOUT_S"
"""Seconds without an answer after which Ray Train counts a worker as dead."""
LOCAL_VARIABLES = {"RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0"}
"""Variables on this machine alone: no node is preempted, and the watcher is one more process a gang."""
LOOPBACK_VARIABLES = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Variables of a machine that is in no cluster: its address is 127.0.0.1, and its servers listen there."""
CONNECT_RETRIES = "RAY_NUM_REDIS_GET_RETRIES"
"""How often a driver asks a cluster for its address, once a second."""
TUNE_VARIABLES = {"RAY_AIR_NEW_OUTPUT": "0"}
"""Variables of a search: no progress output of Ray Tune."""
SERVE_BY_GRPC = "RAY_SERVE_USE_GRPC_BY_DEFAULT"
"""`1` calls replicas by gRPC, which halves the latency of one image; by default a call is a task of Ray."""
SERVE_MESSAGE_BYTES = "RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH"
"""Bytes of a gRPC message to a replica, and of its answer; 4 MiB by default."""


def reread_environment() -> bool:
    """Let Ray read its environment variables, which it does once a process; False where it cannot read them again."""
    is_first = "ray" not in sys.modules
    try:
        import ray._private.ray_constants
        import ray._raylet

        constants: Any = ray._private.ray_constants
        core: Any = ray._raylet
        default = not constants.IS_WINDOWS_OR_OSX
        constants.ENABLE_RAY_CLUSTER = constants.env_bool(constants.ENABLE_RAY_CLUSTERS_ENV_VAR, default)
        core.AuthenticationTokenLoader.instance().reset_cache()
        core.Config.initialize("")
    except (ImportError, AttributeError):
        return is_first
    return True


@contextmanager
def new_sessions() -> Iterator[None]:
    """Start Ray's processes in new sessions, so that a signal to this process group reaches this process alone.

    `timeout`, `kill -- -PGID` of a shell and a terminal signal a whole group; the search needs Ray to save its trials.
    On Linux only: there the kernel kills Ray's processes when this one dies (PR_SET_PDEATHSIG, which a new session
    keeps); elsewhere Ray finds them by their process group. A release of Ray without this part starts them in the
    process group of the search, whose trials then resume from older checkpoints after such a signal.
    """
    from ray._private import services

    places: Any = services
    popen = getattr(places, "ConsolePopen", None)
    if popen is None or sys.platform != "linux":
        yield
        return
    places.ConsolePopen = partial(popen, start_new_session=True)
    try:
        yield
    finally:
        places.ConsolePopen = popen


def kill_processes_with(text: str) -> None:
    """Kill the child processes of this one whose command lines hold `text`, and all of their own children."""
    for child in psutil.Process().children():
        try:
            if text in " ".join(child.cmdline()):
                for process in [child, *child.children(recursive=True)]:
                    process.kill()
        except psutil.NoSuchProcess:
            continue


def make_tuner(scratch: Path, **options: Any) -> Any:
    """A `tune.Tuner` of `options` whose loop runs in this process, where the study and the terminal are.

    By Ray Client (`ray://`), Ray moves the loop to the cluster unless its internal tuner is told not to. `scratch` is
    a folder for Tune's own files. Raises `UserError` where this release of Ray has no such tuner.
    """
    import ray
    from ray import tune

    client: Any = ray.util.client.ray
    if not client.is_connected():
        return tune.Tuner(**options)
    try:
        from ray.train._internal import storage
        from ray.tune.impl.tuner_internal import TunerInternal
    except ImportError as error:
        raise UserError(
            f"--address ray://: Ray {ray.__version__} cannot search by Ray Client; start the search on a node of the "
            "cluster, for example with searchspace submit"
        ) from error
    # A client is no node, so it has no session whose folder this could be.
    vars(storage)["_get_ray_train_session_dir"] = lambda: str(scratch)
    return TunerInternal(**options, _tuner_kwargs={"_remote": False})


def node_provider(cloud: Literal["aws", "gcp"]) -> Any:
    """Ray's node provider for a cloud, the class from which `provider.module` in a cluster's file inherits."""
    if cloud == "aws":
        from ray.autoscaler._private.aws.node_provider import AWSNodeProvider

        return AWSNodeProvider
    from ray.autoscaler._private.gcp.node_provider import GCPNodeProvider

    return GCPNodeProvider


def answers_without_token(gcs_address: str) -> bool | None:
    """Whether a cluster answers a request without a token; None where this release of Ray cannot tell."""
    import grpc  # type: ignore[import-untyped]  # it ships no types

    try:
        from ray.core.generated import gcs_service_pb2, gcs_service_pb2_grpc
    except ImportError:
        return None
    messages: Any = gcs_service_pb2
    services: Any = gcs_service_pb2_grpc
    direct = [("grpc.enable_http_proxy", 0)]  # as Ray's own channels
    with grpc.insecure_channel(gcs_address, options=direct) as channel:
        try:
            services.NodeInfoGcsServiceStub(channel).CheckAlive(messages.CheckAliveRequest(), timeout=10)
        except grpc.RpcError:
            return False
    return True


def bind_replicas_to_loopback() -> None:
    """Let Serve's replicas of this process listen on 127.0.0.1; Ray opens a port on every address.

    Raises RuntimeError where this release of Ray binds them elsewhere: an open port is not served without notice.
    """
    from ray.serve._private import replica

    place: Any = replica
    bind: Callable[[Any, str], int] | None = getattr(place, "add_port_to_grpc_server", None)
    if bind is None:
        raise RuntimeError("this release of Ray Serve opens a port on every address; install that of constraints.txt")
    place.add_port_to_grpc_server = lambda server, _address: bind(server, "127.0.0.1:0")
