"""Each private part of Ray that is used: what a release of Ray has changed, and what replaces a part that is gone."""

import importlib
import inspect
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import ray
import ray.train

from searchspace import ray_compat
from trainables import ray_compat as worker_compat
from trainables import ray_train_compat

PARTS = {
    "reread_environment": (
        "ray._private.ray_constants:IS_WINDOWS_OR_OSX", "ray._private.ray_constants:ENABLE_RAY_CLUSTER",
        "ray._private.ray_constants:ENABLE_RAY_CLUSTERS_ENV_VAR", "ray._private.ray_constants:env_bool",
        "ray._raylet:AuthenticationTokenLoader", "ray._raylet:Config",
    ),
    "new_sessions": ("ray._private.services:ConsolePopen",),
    "make_tuner": (
        "ray.util.client:ray", "ray.train._internal.storage:_get_ray_train_session_dir",
        "ray.tune.impl.tuner_internal:TunerInternal",
    ),
    "node_provider": (
        "ray.autoscaler._private.aws.node_provider:AWSNodeProvider",
        "ray.autoscaler._private.gcp.node_provider:GCPNodeProvider",
    ),
    "answers_without_token": (
        "ray.core.generated.gcs_service_pb2:CheckAliveRequest",
        "ray.core.generated.gcs_service_pb2_grpc:NodeInfoGcsServiceStub",
    ),
    "bind_replicas_to_loopback": ("ray.serve._private.replica:add_port_to_grpc_server",),
    "is_preempted": ("ray.train.v2._internal.execution.context:get_train_context",),
    "node_address": ("ray.util:get_node_ip_address",),
}  # fmt: skip
"""Function of a compat module -> module and name of each private part that it uses."""
VARIABLES = (
    *ray_compat.RAY_VARIABLES, *ray_compat.LOCAL_VARIABLES, *ray_compat.LOOPBACK_VARIABLES, *ray_compat.TUNE_VARIABLES,
    ray_compat.HEALTH_CHECK_TIMEOUT, ray_compat.CONNECT_RETRIES, ray_compat.SERVE_BY_GRPC,
    ray_compat.SERVE_MESSAGE_BYTES, worker_compat.PREEMPTION_WATCHER,
)  # fmt: skip


@pytest.mark.parametrize(("user", "part"), [(user, part) for user, parts in PARTS.items() for part in parts])
def test_ray_has_the_part(user, part):
    module, _, name = part.partition(":")
    assert hasattr(importlib.import_module(module), name), (
        f"Ray {ray.__version__} has no {name} in {module}, which {user}() in ray_compat.py uses"
    )


def test_the_tuner_takes_what_keeps_it_in_this_process():
    from ray.tune.impl.tuner_internal import TunerInternal

    assert "_tuner_kwargs" in inspect.signature(TunerInternal).parameters
    assert "_remote" in inspect.getsource(TunerInternal)


def test_ray_train_has_the_methods_that_are_overridden():
    ray_train_compat.check_parts()
    assert ray_train_compat.TrainController.worker_group_cls is not None
    source = inspect.getsource(ray_train_compat.TrainController.__init__)
    assert "_worker_group_callbacks_to_propagate" in source, "GangController replaces the preemption callback there"
    assert {type(one) for one in ray_train_compat.NEEDLESS} == {type}


def test_a_method_that_has_changed_is_named():
    with pytest.raises(ImportError, match=r"Ray \d.*: SimpleNamespace has no method gone"):
        ray_train_compat.check_parts([(SimpleNamespace, "gone", ())])
    with pytest.raises(ImportError, match=r"TrainController.run takes \(.*\), expected .* \('other',\)"):
        ray_train_compat.check_parts([(ray_train_compat.TrainController, "run", ("other",))])


@pytest.fixture(scope="module")
def ray_text() -> bytes:
    """Ray's own sources and its core, in which each variable must be named."""
    home = Path(inspect.getfile(ray)).parent
    folders = ("_private", "_common", "train", "tune", "serve", "air")
    files = [file for folder in folders for file in (home / folder).rglob("*.py") if "tests" not in file.parts]
    return b"".join(file.read_bytes() for file in (*files, *home.glob("_raylet*.so")))


@pytest.mark.parametrize("name", sorted(set(VARIABLES)))
def test_ray_still_reads_the_variable(name, ray_text):
    assert name.removeprefix("RAY_").encode() in ray_text, f"Ray {ray.__version__} reads no {name} any more"


# What replaces a part that is gone.


def test_without_its_parts_ray_reads_its_settings_once(monkeypatch):
    monkeypatch.delattr("ray._raylet.Config")
    assert not ray_compat.reread_environment(), "ray is imported already"


def test_without_its_part_processes_start_in_this_session(monkeypatch):
    monkeypatch.delattr("ray._private.services.ConsolePopen")
    with ray_compat.new_sessions():
        assert not hasattr(ray._private.services, "ConsolePopen")


def test_only_child_processes_with_the_text_are_killed():
    wait = "import time; time.sleep(60)"
    one, other = (psutil.Popen([sys.executable, "-c", f"{wait}  # {name}"]) for name in ("here-it-is", "other"))
    ray_compat.kill_processes_with("here-it-is")
    assert one.wait(10) == -signal.SIGKILL
    assert other.is_running()
    other.kill()
    other.wait()


def test_replicas_are_not_served_on_every_address_without_notice(monkeypatch):
    monkeypatch.delattr("ray.serve._private.replica.add_port_to_grpc_server")
    with pytest.raises(RuntimeError, match="opens a port on every address"):
        ray_compat.bind_replicas_to_loopback()


def test_without_rays_messages_nothing_is_said_of_tokens(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray.core.generated", None)
    assert ray_compat.answers_without_token("127.0.0.1:1") is None


@pytest.mark.parametrize("info", [None, object()])
def test_without_its_part_the_public_function_tells_of_preemption(monkeypatch, info):
    monkeypatch.delenv(worker_compat.PREEMPTION_WATCHER, raising=False)
    monkeypatch.delattr("ray.train.v2._internal.execution.context.get_train_context")
    monkeypatch.setattr(ray.train, "get_preemption_info", lambda: info)
    assert worker_compat.is_preempted() == (info is not None)
