"""`cluster/slurm.sh` on two nodes, with Ray and searches that are real, and Slurm's own commands that are not."""

import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from searchspace.spec import load_facts
from tests.helpers.cluster.hosts import CHECKOUT, ON_HOSTS, Host, Hosts, hosts_on_a_bridge
from tests.helpers.faults.driver import Driver
from tests.helpers.faults.invariant import GONE, Snapshot, check

OPTIONS = ("--trials", "8", "--models", "convnet", "--max-epochs", "6", "--finalists", "1", "--final-seeds", "1")
SMALL = ("--max-concurrent", "2", "--formats", "onnx")

pytestmark = ON_HOSTS


class Job(Driver):
    """Job 7, which Slurm starts on its first node, and starts again."""

    def __init__(self, hosts: Hosts) -> None:
        self.hosts = hosts
        self.nodes = [hosts.add("node1"), hosts.add("node2")]
        super().__init__(hosts.shared / "searchspace", "first")
        self.root.mkdir()
        (self.root / ".venv").symlink_to(sys.prefix)
        (self.root / "cluster").symlink_to(CHECKOUT / "cluster")
        self._lay("srun", (Path(__file__).parent / "srun.sh").read_text())
        self._lay("scontrol", '#!/bin/sh\necho "$@" >> /srv/asked\n')
        (hosts.shared / "key").write_bytes((hosts.keys / "user").read_bytes())
        assert self.nodes[0].run("install -m 600 /srv/key ~/.ssh/id_ed25519").returncode == 0

    def _lay(self, name: str, text: str) -> None:
        path = self.hosts.shared / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def launch(self) -> None:
        """As Slurm does, at first and when it was requeued."""
        self._run([self.name, *OPTIONS, *SMALL], None)

    def command(self, options: Sequence[str]) -> list[str]:
        addresses = " ".join(node.address for node in self.nodes)
        variables = f"PATH=/srv/bin:$PATH SLURM_JOB_ID=7 SLURM_JOB_NUM_NODES=2 SLURM_STUB_NODES='{addresses}'"
        return self.nodes[0].command(f"cd /srv/searchspace; {variables} exec bash cluster/slurm.sh {' '.join(options)}")

    @property
    def script(self) -> psutil.Process:
        """The batch script, which alone hears Slurm's signal."""
        assert self.process is not None
        below = psutil.Process(self.process.pid).children(recursive=True)
        return min((p for p in below if "cluster/slurm.sh" in p.cmdline()), key=lambda p: p.create_time())


@pytest.fixture
def job(tmp_path) -> Iterator[Job]:
    with hosts_on_a_bridge(tmp_path) as hosts:
        yield Job(hosts)


def check_nothing_runs(nodes: Sequence[Host]) -> None:
    deadline = time.monotonic() + GONE
    while left := [line for node in nodes for line in node.processes()]:
        assert time.monotonic() < deadline, left
        time.sleep(0.5)


def test_a_job_that_is_told_to_end_saves_goes_back_into_the_queue_and_goes_on(job):
    job.launch()
    job.wait_for(r"paused at epoch")
    private = job.root / ".slurm-7"
    assert (private.stat().st_mode & 0o777, (private / "token").stat().st_mode & 0o777) == (0o700, 0o600)
    job.script.send_signal(signal.SIGTERM)
    assert job.ends() == 143, job.output
    assert "every trial finishes its epoch and is saved" in job.output
    assert (job.hosts.shared / "asked").read_text() == "requeue 7\n"
    assert not private.exists()
    check_nothing_runs(job.nodes)
    before = Snapshot.take(job.folder)

    job.launch()
    assert job.ends(400) == 0, job.output
    check(job.folder, 8, before)
    assert len(load_facts(job.folder)["resumed"]) == 1
    assert (job.hosts.shared / "asked").read_text() == "requeue 7\n", "one that is finished does not come back"
    check_nothing_runs(job.nodes)
