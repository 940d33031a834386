"""A cluster whose autoscaler starts and ends real Ray nodes on this machine, by Ray's fake provider."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.helpers.faults.driver import Driver
from tests.helpers.servers.mlflow_server import free_port

HEAD_ID = "f" * 51 + "00000"
"""What the fake provider takes for the head's identity."""
HEAD = "ray.head.default"
PROVIDER = "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider"
"""As an external one: by its own name, Ray looks for an example configuration that its wheel lacks."""
NOTHING = (
    "initialization_commands", "setup_commands", "head_setup_commands", "worker_setup_commands",
    "head_start_ray_commands", "worker_start_ray_commands", "cluster_synced_files", "rsync_exclude", "rsync_filter",
)  # fmt: skip


class Autoscaled:
    """A head without cores for training, and up to so many workers of one core; none at first."""

    def __init__(self, driver: Driver, home: Path, most: int) -> None:
        self._driver, self._file, self._port = driver, home / "ray_bootstrap_config.yaml", free_port()
        self._ray = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # sockets' paths have to be short
        self.allow(most)
        environment = os.environ | {
            "AUTOSCALER_UPDATE_INTERVAL_S": "1", "RAY_FAKE_CLUSTER": "1", "RAY_enable_autoscaler_v2": "1",
            "RAY_CLOUD_INSTANCE_ID": HEAD_ID, "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD_ID,
        }  # fmt: skip
        subprocess.run(
            [
                sys.executable, "-m", "ray.scripts.scripts", "start", "--head", f"--port={self._port}", "--num-cpus=0",
                f"--autoscaling-config={self._file}", "--include-dashboard=false", "--object-store-memory=100000000",
                "--dashboard-agent-listen-port=0", "--node-ip-address=127.0.0.1", f"--temp-dir={self._ray}",
            ],
            env=environment, check=True, capture_output=True,
        )  # fmt: skip

    def stop(self) -> None:
        """Kill all that is left."""
        self._driver.stop()
        shutil.rmtree(self._ray, ignore_errors=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def allow(self, most: int) -> None:
        """Let there be so many workers; those beyond are taken away."""
        kinds = {
            HEAD: {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
            "worker": {
                "resources": {"CPU": 1, "object_store_memory": 100_000_000}, "node_config": {}, "min_workers": 0,
                "max_workers": most,
            },
        }  # fmt: skip
        provider = {
            "type": "external", "module": PROVIDER, "gcs_address": self.address, "launch_multiple": True,
            "head_node_id": HEAD_ID, "use_node_id_as_ip": True, "disable_node_updaters": True,
            "disable_launch_config_check": True,
        }  # fmt: skip
        configuration = {
            "cluster_name": "fake", "max_workers": most, "upscaling_speed": 10, "idle_timeout_minutes": 0.1,
            "provider": provider, "available_node_types": kinds, "head_node_type": HEAD, "auth": {}, "docker": {},
            "file_mounts": {}, "file_mounts_sync_continuously": False,
        } | {name: [] for name in NOTHING}  # fmt: skip
        beside = self._file.with_suffix(".new")
        beside.write_text(json.dumps(configuration))
        beside.replace(self._file)

    @property
    def workers(self) -> int:
        """Worker nodes that are up."""
        return len(self._driver.find("raylet")) - 1

    def wait_for(self, workers: int, patience: float = 120.0) -> None:
        deadline = time.monotonic() + patience
        while self.workers != workers:
            assert time.monotonic() < deadline, f"{self.workers} workers, and not {workers}"
            time.sleep(0.5)
