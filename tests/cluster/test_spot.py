"""The spot watcher, against metadata servers that answer as AWS's and Google's do, and a real node that is drained."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from searchspace.cluster.clouds import spot

TOKEN = "metadata-token"


class Metadata(BaseHTTPRequestHandler):
    """Both clouds' answers; `server.notices` is what comes next, the last one for ever."""

    def do_PUT(self) -> None:
        asked = self.path == "/latest/api/token" and "X-aws-ec2-metadata-token-ttl-seconds" in self.headers
        self.answer(200 if asked else 400, TOKEN)

    def do_GET(self) -> None:
        if self.path == "/latest/meta-data/spot/instance-action":
            allowed = self.headers.get("X-aws-ec2-metadata-token") == TOKEN
        else:
            allowed = self.path == "/computeMetadata/v1/instance/preempted"
            allowed &= self.headers.get("Metadata-Flavor") == "Google"
        notices = self.server.notices
        notice = notices.pop(0) if len(notices) > 1 else notices[0]
        self.answer(*(notice if allowed else (401, "")))

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def metadata(*notices: tuple[int, str]) -> Iterator[str]:
    with serving(list(notices), "127.0.0.1") as address:
        yield address


@contextmanager
def serving(notices: list[tuple[int, str]], host: str) -> Iterator[str]:
    """A server's address; what it says can be changed in the list."""
    with ThreadingHTTPServer((host, 0), Metadata) as server:
        server.notices = notices
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"{host}:{server.server_port}"
        server.shutdown()
        thread.join()


def action(seconds: float) -> str:
    """As AWS words it: the action, and when."""
    end = datetime.now(UTC) + timedelta(seconds=seconds)
    return json.dumps({"action": "terminate", "time": end.strftime("%Y-%m-%dT%H:%M:%SZ")})


def test_aws_has_nothing_to_say():
    with metadata((404, "")) as server:
        assert spot.aws(server) is None


def test_aws_tells_when():
    with metadata((200, action(120))) as server:
        left = spot.aws(server)
    assert left is not None
    assert 60 < left <= 120


def test_a_time_that_is_over_is_now():
    with metadata((200, action(-5))) as server:
        assert spot.aws(server) == 0.0


def test_google_tells_that():
    with metadata((200, "FALSE\n"), (200, "TRUE\n")) as server:
        assert spot.gcp(server) is None
        assert spot.gcp(server) == spot.GOOGLE_NOTICE


def test_a_server_that_fails_is_asked_again(capsys):
    with metadata((500, ""), (404, ""), (200, "no JSON"), (200, action(100))) as server:
        assert spot.watch(spot.aws, server, every=0.01) > 10
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert "instance-action: 500" in told[0]


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with metadata((404, "")) as server:
        assert spot.aws(server) is None


HEAD, WORKER = "10.77.91.1", "10.77.91.2"
BIN = Path(sys.executable).parent
NODES = """
import json, ray
ray.init(log_to_driver=False, logging_level="ERROR")
from ray.core.generated.common_pb2 import NodeDeathInfo
nodes = {node["NodeManagerAddress"]: node for node in ray.nodes()}
reasons = NodeDeathInfo.Reason
print(json.dumps({ip: "alive" if n["Alive"] else reasons.Name(n["DeathReason"]) for ip, n in nodes.items()}))
"""


@pytest.fixture
def apart() -> Iterator[list[str]]:
    """A command's beginning that runs it as if on another machine: network and processes of its own."""
    name = f"spot{os.getpid()}"
    ip = ["ip", "-n", name]
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        for command in (
            ["ip", "link", "add", name, "type", "veth", "peer", "name", "node", "netns", name],
            ["ip", "addr", "add", f"{HEAD}/24", "dev", name],
            ["ip", "link", "set", name, "up"],
            [*ip, "addr", "add", f"{WORKER}/24", "dev", "node"],
            [*ip, "link", "set", "node", "up"],
            [*ip, "link", "set", "lo", "up"],
        ):
            subprocess.run(command, check=True)
        yield ["ip", "netns", "exec", name, "unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


@pytest.fixture
def short() -> Iterator[str]:
    """A folder whose name leaves room for Ray's sockets below it."""
    with tempfile.TemporaryDirectory(prefix="spot", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield folder


@pytest.fixture
def head(tmp_path, monkeypatch, apart, short) -> Iterator[str]:
    """A head that trains nothing; its address, which is in the environment as it is on a node."""
    with socket.create_server((HEAD, 0)) as free:
        address = f"{HEAD}:{free.getsockname()[1]}"
    for name, value in {"RAY_ADDRESS": address, "RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0"}.items():
        monkeypatch.setenv(name, value)
    command = [
        BIN / "ray", "start", "--head", "--block", "--node-ip-address", HEAD, "--port", address.split(":")[1],
        "--num-cpus=0", "--include-dashboard=false", "--object-store-memory=80000000", "--temp-dir", f"{short}/head",
    ]  # fmt: skip
    with (tmp_path / "head.log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as started:
        while started.poll() is None and not answers(address):
            time.sleep(0.2)
        assert started.poll() is None, (tmp_path / "head.log").read_text()
        yield address
        started.terminate()


def answers(address: str) -> bool:
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def nodes() -> dict[str, str]:
    """What has become of each node, by its address."""
    done = subprocess.run([sys.executable, "-c", NODES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def wait_for(state: dict[str, str]) -> None:
    for _ in range(60):
        if (found := nodes()) == state:
            return
        time.sleep(1)
    assert found == state


@pytest.mark.cluster
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_node_with_a_notice_is_drained(apart, head, short, tmp_path):
    notices = [(404, "")]
    with serving(notices, HEAD) as server:
        script = (
            f"ray start --address={head} --node-ip-address={WORKER} --num-cpus=1 --object-store-memory=80000000"
            f" --temp-dir={short}/worker"
            f" && {sys.executable} -m searchspace.cluster.clouds.spot aws --metadata {server}; sleep 600"
        )
        environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": str(Path.cwd())}
        command = [*apart, "sh", "-c", script]
        with (
            (tmp_path / "worker.log").open("w") as log,
            subprocess.Popen(command, env=environment, stdout=log, stderr=log) as node,
        ):
            try:
                wait_for({HEAD: "alive", WORKER: "alive"})
                notices[:] = [(200, action(120))]
                wait_for({HEAD: "alive", WORKER: "AUTOSCALER_DRAIN_PREEMPTED"})
            finally:
                node.kill()  # and with it all of its processes: it waits for them otherwise
    assert "drained with" in (tmp_path / "worker.log").read_text()
