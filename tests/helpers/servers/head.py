"""A real head node of Ray beside the tests: a home, ports, folders and a token of its own, and a dashboard."""

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import ray.util

from tests.helpers.faults.invariant import MARK, check_nothing_left, processes
from tests.helpers.repository import ROOT

PORTS = (
    "port", "dashboard-port", "dashboard-agent-listen-port", "dashboard-agent-grpc-port", "ray-client-server-port",
    "metrics-export-port", "runtime-env-agent-port", "node-manager-port", "object-manager-port",
)  # fmt: skip
PATIENCE = 120.0


@dataclass(frozen=True)
class Head:
    """What a test needs to know of it."""

    home: Path
    ports: dict[str, int]
    mark: str

    @property
    def host(self) -> str:
        return str(ray.util.get_node_ip_address())

    @property
    def dashboard(self) -> str:
        return f"http://127.0.0.1:{self.ports['dashboard-port']}"

    def environment(self, **changes: str) -> dict[str, str]:
        """Of somebody at a laptop who may use the cluster."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        own = {"HOME": str(self.home), "PYTHONPATH": str(ROOT), "NO_COLOR": "1", MARK: self.mark}
        return kept | own | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.mark} | changes


@contextmanager
def running_head(place: Path, mode: str = "token", code: bool = False) -> Iterator[Head]:
    """A head that is up; afterwards, nothing of it is left. With `code`, it has this project's."""
    (place / "home").mkdir(parents=True)
    head = Head(place / "home", dict(zip(PORTS, free_ports(len(PORTS)), strict=True)), uuid.uuid4().hex)
    temporary = Path("/tmp") / f"rh-{head.mark[:8]}"  # short: a socket's path has 107 characters at most
    options = [f"--{name}={port}" for name, port in head.ports.items()]
    command = [
        str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", "--num-cpus=2",
        f"--temp-dir={temporary}", "--disable-usage-stats", *options,
    ]  # fmt: skip
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # it has the packages
    environment = head.environment(PATH=path, RAY_AUTH_MODE=mode) | ({} if code else {"PYTHONPATH": ""})
    with (place / "head.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_until_up(head, process, place / "head.log")
        yield head
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        finally:
            for left in processes(head.mark):
                left.kill()
            process.wait()
            subprocess.run(["rm", "-rf", str(temporary)], check=True)
    check_nothing_left(head.mark)


def wait_until_up(head: Head, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the dashboard answers."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", head.ports["dashboard-port"]), timeout=1).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"no dashboard:\n{log.read_text()}")


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at now."""
    with ExitStack() as held:
        servers = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]
