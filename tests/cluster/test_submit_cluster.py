"""Searches as jobs of a real head: left alone, watched again, stopped, gone on with; Ray Client; a real SSH tunnel."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

import pytest

from searchspace.cluster.submit.tunnel import tunnel
from searchspace.preparation.record import git_commit
from tests.helpers.faults.invariant import check
from tests.helpers.servers.head import Head, free_ports, running_head
from trainables.common.errors import UserError

SMALL = ("--models", "convnet", "--max-epochs", "6", "--final-seeds", "1", "--finalists", "1")
pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def head(tmp_path_factory) -> Iterator[Head]:
    with running_head(tmp_path_factory.mktemp("head")) as found:
        yield found


class Laptop:
    """Somebody who submits from a folder of his own."""

    def __init__(self, head: Head, place: Path) -> None:
        self.head, self.place, self.results = head, place, place / "shared"
        self.said = place / "said.txt"

        self.address = head.dashboard

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "searchspace.submit", "--address", self.address, *words]

    def call(self, *words: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words), capture_output=True, text=True, check=False, cwd=self.place, timeout=600,
            env=self.head.environment(**changes),
        )  # fmt: skip

    def begin(self, *words: str, **changes: str) -> subprocess.Popen[str]:
        """Begin a command, and leave it alone; what it says is in `said`."""
        environment = self.head.environment(**changes)
        with self.said.open("w") as out:
            return subprocess.Popen(
                self.command(*words), stdout=out, stderr=out, text=True, cwd=self.place, env=environment
            )

    def wait_for(self, pattern: str, process: subprocess.Popen[str], patience: float = 300.0) -> None:
        deadline = time.monotonic() + patience
        while not re.search(pattern, self.said.read_text()):
            assert process.poll() is None, self.said.read_text()
            assert time.monotonic() < deadline, self.said.read_text()
            time.sleep(0.1)


class Wire:
    """A port of one's own that leads to another one, and can be cut."""

    def __init__(self, target: int) -> None:
        self.target, self.port = target, free_ports(1)[0]
        self.ends: list[socket.socket] = []

    def __enter__(self) -> "Wire":
        self.mend()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()

    def mend(self) -> None:
        self.server = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, args=(self.server,), daemon=True).start()

    def cut(self) -> None:
        for end in (self.server, *self.ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self.ends.clear()

    def _serve(self, server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                here, _ = server.accept()
                there = socket.create_connection(("127.0.0.1", self.target))
                self.ends += [here, there]
                for source, target in ((here, there), (there, here)):
                    threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while content := source.recv(1 << 16):
                target.sendall(content)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def laptop(head, tmp_path) -> Laptop:
    return Laptop(head, tmp_path)


def test_a_search_runs_to_its_end_by_the_code_that_was_shipped_and_is_watched_through_a_cut(head, laptop):
    (laptop.place / "mine.py").write_text(
        "import os, searchspace\n"
        "from helper import WIDTHS\n"
        "def space(trial, task):\n"
        "    open(os.environ['NOTE'], 'w').write(searchspace.__file__)\n"
        "    return {'model': 'convnet', 'width': trial.suggest_categorical('width', WIDTHS),\n"
        "            'lr': trial.suggest_float('lr', 1e-3, 1e-2, log=True)}\n"
    )
    (laptop.place / "helper.py").write_text("WIDTHS = (8, 12)\n")
    with Wire(head.ports["dashboard-port"]) as wire:
        laptop.address = f"http://127.0.0.1:{wire.port}"
        search = (
            "--name",
            "whole",
            "--trials",
            "3",
            *SMALL,
            "--space",
            "mine.py:space",
            "--results",
            str(laptop.results),
        )
        watching = laptop.begin("--ship", "helper.py", "--env", "NOTE", "--", *search, NOTE=str(laptop.place / "note"))
        laptop.wait_for("digits: 10 classes", watching)
        wire.cut()
        laptop.wait_for("trying again, the job continues", watching)
        wire.mend()
        assert watching.wait(300) == 0, laptop.said.read_text()
    laptop.address = head.dashboard
    said = laptop.said.read_text()
    assert "search 'whole' is job 'whole' of the cluster" in said
    assert [said.count(each) for each in ("digits: 10 classes", "the test split is opened, once")] == [1, 1], said
    assert said.rstrip().endswith("job 'whole': succeeded")
    check(laptop.results / "whole", 3)
    assert "working_dir_files" in (laptop.place / "note").read_text(), (
        "neither this checkout's code nor an installed one"
    )
    assert (
        json.loads((laptop.results / "whole" / "search.json").read_text())["git_commit"] == git_commit()
    )  # which was shipped
    said = laptop.call("status")
    assert re.search(r"whole +succeeded +20\d\d-", said.stdout), said.stdout + said.stderr
    fetched = laptop.call("fetch", "whole")
    assert "its results are on this machine already" in fetched.stderr


def test_a_search_outlives_who_submitted_it_and_can_be_watched_stopped_and_gone_on_with(laptop):
    search = ("--name", "left", "--trials", "24", *SMALL, "--results", str(laptop.results))
    first = laptop.begin("--", *search)
    laptop.wait_for("complete at epoch|stopped at epoch|paused at epoch", first)
    first.send_signal(signal.SIGKILL)
    first.wait()
    again = laptop.begin("logs", "left")
    laptop.wait_for("complete at epoch|stopped at epoch|paused at epoch", again)
    again.send_signal(signal.SIGINT)
    assert again.wait(60) == 130
    assert "the job continues. Again: searchspace submit --address" in laptop.said.read_text()
    assert "running" in laptop.call("status", "left").stdout
    twice = laptop.call("--", "--resume", "left", "--results", str(laptop.results))
    assert twice.returncode == 2
    assert "search 'left': job 'left' is working on it" in twice.stderr
    stopped = laptop.call("stop", "left")
    assert stopped.returncode == 0, stopped.stdout + stopped.stderr
    assert "job 'left': stopped" in stopped.stdout
    assert f"-- --resume left --results {laptop.results}" in stopped.stdout
    log = laptop.call("logs", "left")
    assert log.returncode == 143
    assert "SIGTERM: every trial finishes its epoch and is saved" in log.stdout
    assert "interrupted; resume with" in log.stdout, "it was not killed before it had saved"
    resumed = laptop.call("--", "--resume", "left", "--results", str(laptop.results))
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert "search 'left' is job 'left-2' of the cluster" in resumed.stdout
    check(laptop.results / "left", 24)


def test_a_search_that_fails_fails_its_command(laptop):
    done = laptop.call("--", "--name", "bad", "--data", "/no/such/folder", "--results", str(laptop.results))
    assert done.returncode == 2, done.stdout + done.stderr
    assert "error: --data '/no/such/folder': neither a known data set" in done.stdout
    assert "job 'bad': failed (Job entrypoint command failed with exit code 2)" in done.stdout


def test_who_has_no_token_and_who_asks_for_nothing_is_told_in_one_line(laptop):
    for changes, said in (
        ({"RAY_AUTH_TOKEN": "0" * 64}, "the cluster refuses this search's token; set"),
        ({"RAY_AUTH_TOKEN": "", "RAY_AUTH_MODE": "disabled"}, "the cluster refuses this search's token; set"),
    ):
        done = laptop.call("status", **changes)
        (line,) = done.stderr.splitlines()
        assert (done.returncode, said in line) == (2, True), line
    unknown = laptop.call("stop", "nothing")
    assert unknown.returncode == 2
    assert "search 'nothing': --address" in unknown.stderr


def run_search(head: Head, place: Path, *words: str, **changes: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "searchspace.run", "--results", str(place / "shared"), *words]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=place, env=head.environment(**changes), timeout=600
    )


def test_a_search_runs_as_a_client_of_the_cluster(tmp_path_factory):
    place = tmp_path_factory.mktemp("client")
    with running_head(place, code=True) as head:
        address = f"ray://127.0.0.1:{head.ports['ray-client-server-port']}"
        search = ("--address", address, "--trials", "4", *SMALL)
        refused = run_search(head, place, "--name", "refused", *search, RAY_AUTH_TOKEN="0" * 64)
        assert refused.returncode == 2
        assert refused.stderr.startswith(f"error: --address {address!r}: ray client connection timeout; that is what")
        done = run_search(head, place, "--name", "client", *search)
        assert done.returncode == 0, done.stdout + done.stderr
        check(place / "shared" / "client", 4)


def test_a_token_that_a_cluster_does_not_ask_for_is_told_in_one_line(tmp_path_factory):
    place = tmp_path_factory.mktemp("open")
    with running_head(place, mode="disabled") as head:
        address = f"{head.host}:{head.ports['port']}"
        done = run_search(head, place, "--address", address, "--trials", "2", *SMALL)
        (line,) = done.stderr.splitlines()
        assert done.returncode == 2
        assert line.startswith(f"error: --address {address!r}: this search has a token, and the cluster asks for none")


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"there")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def ssh_server(place: Path) -> Iterator[list[str]]:
    """A real sshd of one's own on loopback; how it is reached."""
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / name)], check=True)
    (place / "authorized").write_text((place / "user.pub").read_text())
    (port,) = free_ports(1)
    settings = (f"Port={port}", "ListenAddress=127.0.0.1", f"HostKey={place}/host", "UsePAM=no", "StrictModes=no",
                f"AuthorizedKeysFile={place}/authorized", f"PidFile={place}/pid")  # fmt: skip
    Path("/run/sshd").mkdir(exist_ok=True)
    command = ["/usr/sbin/sshd", "-D", "-f", "/dev/null", *(part for each in settings for part in ("-o", each))]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        known = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ConnectTimeout=10")
        options = [part for each in known for part in ("-o", each)]
        yield [
            "ssh",
            "-p",
            str(port),
            "-i",
            str(place / "user"),
            *options,
            f"{os.environ.get('USER', 'root')}@127.0.0.1",
        ]
        server.terminate()


def test_a_tunnel_leads_to_the_other_ends_loopback_and_closes(tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with ssh_server(tmp_path) as command:
        time.sleep(1)
        with tunnel(command, server.server_address[1], "--cluster 'a.yaml'") as port:
            assert urlopen(f"http://127.0.0.1:{port}", timeout=20).read() == b"there"
        with pytest.raises(OSError, match="refused"):
            urlopen(f"http://127.0.0.1:{port}", timeout=20)
        command[command.index("-i") + 1] = str(tmp_path / "host")
        with (
            pytest.raises(UserError, match=r"its head does not answer by SSH \(.*Permission denied"),
            tunnel(command, 1, "x"),
        ):
            pass
    server.shutdown()
