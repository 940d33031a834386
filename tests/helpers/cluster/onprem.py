"""`cluster/onprem.yaml` on hosts of one's own: the file as it is but for addresses, user and the size of a machine."""

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.helpers.cluster.hosts import CHECKOUT, Host, Hosts, hosts_on_a_bridge
from tests.helpers.faults.driver import Driver

FILE = CHECKOUT / "cluster" / "onprem.yaml"
PLACE = "/srv/searchspace"
"""Where the file has the project on every host."""
PATIENCE = 180.0
"""Seconds that machines have to join, and to leave."""


class Onprem:
    """A laptop, a head and workers of one core each."""

    def __init__(self, hosts: Hosts, workers: int) -> None:
        self.hosts = hosts
        self.laptop, self.head = hosts.add("laptop"), hosts.add("head")
        self.workers = [hosts.add(f"worker{number}") for number in range(1, workers + 1)]
        self.place = hosts.shared / "searchspace"
        self.place.mkdir()
        (self.place / ".venv").symlink_to(sys.prefix)
        (hosts.shared / "onprem.yaml").write_text(self._file())
        (hosts.shared / "key").write_bytes((hosts.keys / "user").read_bytes())
        _done(self.laptop.run("install -m 600 /srv/key ~/.ssh/id_ed25519 && rm /srv/key"))

    def _file(self) -> str:
        content = yaml.safe_load(FILE.read_text())
        content["provider"] |= {"head_ip": self.head.address, "worker_ips": [host.address for host in self.workers]}
        content["auth"]["ssh_user"] = "root"
        start = content["worker_start_ray_commands"][-1].replace("ray start", "ray start --num-cpus=1")
        content["worker_start_ray_commands"][-1] = start
        return yaml.safe_dump(content)

    def ray(self, line: str) -> str:
        """Run Ray's command on the laptop, as a user does; what it said."""
        return _done(self.laptop.run(f"PATH={PLACE}/.venv/bin:$PATH; cd /srv; {line}"))

    def up(self) -> None:
        """Make a token, and start Ray on all hosts."""
        self.ray("ray get-auth-token --generate > /dev/null; chmod 600 ~/.ray/auth_token")
        self.ray("ray up --yes onprem.yaml")
        self.wait_for_nodes(1 + len(self.workers))

    def down(self) -> None:
        """Stop Ray, and wait until nothing runs on any host."""
        self.ray("ray down --yes onprem.yaml")
        deadline = time.monotonic() + PATIENCE
        while left := {host.name: found for host in self.hosts.hosts if (found := host.processes())}:
            assert time.monotonic() < deadline, left
            time.sleep(1)

    def wait_for_nodes(self, count: int) -> None:
        """Wait until so many are part of the cluster, each with what the file gives it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            said = self.head.run("ray status").stdout
            if f"/{count * 1000}.0 on_demand" in said:
                return
            assert time.monotonic() < deadline, said
            time.sleep(3)

    def training(self) -> list[Host]:
        """The workers that a rank of a gang is on now."""
        return [host for host in self.workers if any(re.search("RayTrainWorker", line) for line in host.processes())]

    def wait_for_training(self, host: Host) -> None:
        """Wait until a rank is on a worker."""
        deadline = time.monotonic() + PATIENCE
        while host not in self.training():
            assert time.monotonic() < deadline, host.processes()
            time.sleep(0.5)


class OnHead(Driver):
    """A search that runs on the head."""

    def __init__(self, cluster: Onprem) -> None:
        super().__init__(cluster.place)
        self._head = cluster.head

    def command(self, options: Sequence[str]) -> list[str]:
        """Run on the head, by a login there."""
        line = shlex.join(["python", "-m", "searchspace.run", "--address", "auto", *options])
        return self._head.command(f"cd {PLACE} && exec {line}")


@contextmanager
def onprem(root: Path, workers: int) -> Iterator[Onprem]:
    """The hosts, with Ray not yet started."""
    with hosts_on_a_bridge(root) as hosts:
        yield Onprem(hosts, workers)


def _done(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
