"""What Ray's updater runs on a new machine for the cloud files: its commands over SSH, recorded instead of sent."""

import json
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.command_runner import DockerCommandRunner
from ray.autoscaler._private.updater import NodeUpdater
from ray.autoscaler._private.util import prepare_config

from tests.helpers.repository import ROOT

CLUSTER = ROOT / "cluster"
ANSWERS = {
    ".Config.Env": json.dumps(["HOME=/home/ray"]), ".Runtimes": "map[nvidia:{nvidia-container-runtime []}]",
    "command -v docker": "/usr/bin/docker", "printenv HOME": "/home/ray", "meminfo": "MemAvailable: 16000000 kB",
}  # fmt: skip
"""What a machine says to Ray's questions, by what is in the question; nothing to others: no container runs yet."""


class Machine:
    """Where commands go: in place of `subprocess`, and of the node provider that knows one machine."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.provider_config: dict[str, Any] = {}

    def check_output(self, command: list[str], **given: Any) -> bytes:
        self.ran.append(" ".join(command))
        return next((text for part, text in ANSWERS.items() if part in self.ran[-1]), "").encode()

    def check_call(self, command: list[str], **given: Any) -> int:
        self.check_output(command)
        return 0

    call = check_call

    def get_command_runner(self, log_prefix: str, node_id: str, auth: Any, name: str, *given: Any) -> Any:
        return DockerCommandRunner(
            given[2], log_prefix=log_prefix, node_id=node_id, provider=self, auth_config=auth, cluster_name=name,
            process_runner=self, use_internal_ip=False,
        )  # fmt: skip

    def set_node_tags(self, node: str, tags: dict[str, str]) -> None:
        pass

    def node_tags(self, node: str) -> dict[str, str]:
        return {}

    def is_terminated(self, node: str) -> bool:
        return False

    def external_ip(self, node: str) -> str:
        return "203.0.113.9"


@pytest.mark.parametrize("name", ["gpu.yaml", "gcp.yaml"])
def test_a_head_is_set_up_with_the_token_inside_its_container(name, tmp_path):
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("secret-token")
    config = prepare_config(yaml.safe_load((CLUSTER / name).read_text()))
    machine = Machine()
    NodeUpdater(
        "head", config["provider"], machine, config["auth"], config["cluster_name"], config["file_mounts"],
        config["initialization_commands"], config["head_setup_commands"], config["head_start_ray_commands"],
        "hash", "hash", is_head_node=True, process_runner=machine, docker_config=config["docker"],
        node_resources=config["available_node_types"]["head"]["resources"],
    ).run()  # fmt: skip
    order = [
        next(number for number, command in enumerate(machine.ran) if part in command)
        for part in ("rsync", "chmod 600", "docker tag", "docker run", "ray start --head")
    ]
    assert order == sorted(order)
    copied, _, _, started, _ = (machine.ran[number] for number in order)
    assert copied.split()[-2:] == [
        f"{tmp_path}/.ray/", "ubuntu@203.0.113.9:/tmp/ray_tmp_mount/searchspace/home/ray/.ray/",
    ]  # fmt: skip
    assert "-v /tmp/ray_tmp_mount/searchspace//home/ray/.ray:/home/ray/.ray " in started
    assert "--env RAY_AUTH_MODE=token" in started
    assert "--net=host" in started, "one hop to the metadata service, and a dashboard on the machine's loopback"
    assert "secret-token" not in " ".join(machine.ran)
