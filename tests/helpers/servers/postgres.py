"""A real PostgreSQL of a test's own, from Debian's package, by an account that is not root's."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PASSWORD = "a secret of the tests"
ACCOUNT = "postgres"
"""Made by the package; PostgreSQL refuses to be root."""


@pytest.fixture
def postgres() -> Iterator[str]:
    """URL of an empty database, the password in it."""
    with running() as url:
        yield url


@dataclass(frozen=True)
class Server:
    """A server that can be stopped and started again."""

    url: str
    """Of its database, the password in it."""
    control: tuple[object, ...]
    """Command that stops and starts it."""
    options: str

    def start(self, log: str = "/dev/null") -> None:
        run([*self.control, "-o", self.options, "-l", log, "-w", "start"])

    def stop(self, mode: str = "immediate") -> None:
        """`immediate` cuts every connection as a crash does, `fast` ends them in order."""
        run([*self.control, "-m", mode, "-w", "stop"])


@contextmanager
def running() -> Iterator[str]:
    """URL of a server while the block runs, on a loopback port of its own."""
    with serving() as server:
        yield server.url


@contextmanager
def serving() -> Iterator[Server]:
    """A server while the block runs, on a loopback port of its own."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    as_other = ["runuser", "-u", ACCOUNT, "--"] if os.getuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="searchspace-postgres-"))
    try:
        if as_other:
            shutil.chown(folder, ACCOUNT)
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o644)
        data, port = folder / "data", free_port()
        run([*as_other, programs / "initdb", "-D", data, "-U", "searchspace", "-A", "scram-sha-256",
             f"--pwfile={folder / 'password'}"])  # fmt: skip
        options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder}"
        quoted = PASSWORD.replace(" ", "%20")
        url = f"postgresql://searchspace:{quoted}@127.0.0.1:{port}/postgres"
        server = Server(url, (*as_other, programs / "pg_ctl", "-D", data), options)
        server.start(str(folder / "log"))
        try:
            yield server
        finally:
            if (data / "postmaster.pid").exists():
                server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(command: list[object]) -> None:
    """Run to its end; through a file, because what it leaves running would keep a pipe open."""
    with tempfile.TemporaryFile("w+") as said:
        done = subprocess.run(list(map(str, command)), stdout=said, stderr=said, cwd="/", check=False)
        said.seek(0)
        assert done.returncode == 0, said.read()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
