"""Several hosts on one machine: namespaces on a bridge, each with its own SSH server, processes, home and /tmp."""

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.helpers.repository import ROOT

HERE = Path(__file__).parent
CHECKOUT = ROOT
NETWORK = "10.77.0"
"""First bytes of the hosts' addresses, which only they can see."""
ON_HOSTS = [
    pytest.mark.slow,
    pytest.mark.cluster,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces and mounts, which takes root's rights"),
]
"""Marks of tests that need them."""
PATIENCE = 20.0
"""Seconds that a host's SSH server has to come up."""


@dataclass(frozen=True)
class Host:
    """One of them."""

    name: str
    address: str
    process: subprocess.Popen[bytes]
    """Holds the host's processes: they end with it."""

    @property
    def server(self) -> psutil.Process:
        """The host's first process, its SSH server."""
        return psutil.Process(self.process.pid).children()[0]

    def processes(self) -> list[str]:
        """Command lines of all that runs there, without SSH's own."""
        found = []
        for process in self.server.children(recursive=True):
            try:
                line = " ".join(process.cmdline())
            except psutil.Error:
                continue
            if line and not line.startswith("sshd"):
                found.append(line)
        return found

    def command(self, line: str) -> list[str]:
        """What runs a line in a shell of this host."""
        spaces = ("--mount", "--net", "--pid", "--uts", "--ipc")
        inside = ["nsenter", "--target", str(self.server.pid), *spaces, "--wd=/srv"]
        variables = ["env", "-i", f"PATH={os.environ['PATH']}", "HOME=/run/root"]
        return [*inside, *variables, "bash", "-c", f". ~/.bashrc; {line}"]

    def run(self, line: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(self.command(line), capture_output=True, text=True, check=False, timeout=seconds)


class Hosts:
    """The hosts and the bridge between them; `shared` is /srv on all of them."""

    def __init__(self, root: Path) -> None:
        self.shared, self.keys = root / "srv", root / "keys"
        self.tag = f"ss-{uuid.uuid4().hex[:6]}"
        self.bridge = f"{self.tag}-bridge"
        self.hosts: list[Host] = []

    def lay(self) -> None:
        """The bridge, and the keys that let hosts in."""
        self.shared.mkdir()
        self.keys.mkdir()
        for name in ("host", "user"):
            _do("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.keys / name))
        _do("ip", "netns", "add", self.bridge)
        self._on_bridge("link", "add", "br0", "type", "bridge")
        self._on_bridge("link", "set", "br0", "up")

    def add(self, name: str) -> Host:
        """A new host on the bridge, once its SSH server listens."""
        number = len(self.hosts) + 1
        namespace, address, port = f"{self.tag}-{name}", f"{NETWORK}.{number}", f"port{number}"
        _do("ip", "netns", "add", namespace)
        inside = ("ip", "-n", namespace)
        self._on_bridge("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        self._on_bridge("link", "set", port, "master", "br0", "up")
        _do(*inside, "link", "set", "lo", "up")
        _do(*inside, "addr", "add", f"{address}/24", "dev", "eth0")
        _do(*inside, "link", "set", "eth0", "up")
        _do(*inside, "route", "add", "default", "via", f"{NETWORK}.254")  # nobody is there; Ray asks which way is out
        start = [
            "setpriv", "--pdeathsig", "KILL", "ip", "netns", "exec", namespace,
            "unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc",
            "bash", str(HERE / "host.sh"), name, str(self.keys), str(self.shared), str(CHECKOUT),
        ]  # fmt: skip
        with (self.keys / f"{name}.log").open("wb") as told:
            process = subprocess.Popen(start, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=told)
        host = Host(name, address, process)
        self.hosts.append(host)
        self._wait_for(host)
        return host

    def cut(self, host: Host) -> None:
        """Pull its cable: nobody hears from it, and nobody is told."""
        self._on_bridge("link", "set", f"port{self.hosts.index(host) + 1}", "down")

    def mend(self, host: Host) -> None:
        """Put the cable back."""
        self._on_bridge("link", "set", f"port{self.hosts.index(host) + 1}", "up")

    def close(self) -> None:
        """End all that runs on the hosts, and take the network away."""
        for host in self.hosts:
            host.process.send_signal(signal.SIGKILL)
            host.process.wait()
        listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout.split()
        for namespace in (word for word in listed if word.startswith(self.tag)):
            _do("ip", "netns", "del", namespace)

    def _wait_for(self, host: Host) -> None:
        deadline = time.monotonic() + PATIENCE
        while "Server listening" not in (told := (self.keys / f"{host.name}.log").read_text()):
            assert host.process.poll() is None, told
            assert time.monotonic() < deadline, told
            time.sleep(0.05)

    def _on_bridge(self, *arguments: str) -> None:
        _do("ip", "-n", self.bridge, *arguments)


@contextmanager
def hosts_on_a_bridge(root: Path) -> Iterator[Hosts]:
    """No hosts yet, and a place for them; nothing of them is left afterwards. Needs root's rights."""
    hosts = Hosts(root)
    try:
        hosts.lay()
        yield hosts
    finally:
        hosts.close()


def _do(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
