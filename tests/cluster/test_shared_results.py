"""Searches with results at a URL, on machines and nodes that share nothing else; and with a study in PostgreSQL."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from searchspace.spec import make_spec
from searchspace.storage.search_folder import JOURNAL
from searchspace.study.study import load_own_study
from tests.helpers.commands import command as command_line
from tests.helpers.faults.driver import Driver
from tests.helpers.faults.invariant import MARK, Snapshot, check, check_nothing_left
from tests.helpers.servers.s3_server import keys
from trainables.common.errors import UserError
from trainables.common.redaction import redact_urls
from trainables.storage.folder_sync import FolderSync
from trainables.storage.search_storage import SearchStorage

SMALL = ("--models", "convnet", "--max-epochs", "3", "--grace-epochs", "1", "--finalists", "2", "--final-seeds", "1",
         "--formats", "onnx", "--set", "batch_size=64")  # fmt: skip


def run(module: str, *arguments: str, home: Path, cache: Path) -> str:
    home.mkdir(exist_ok=True)
    done = command_line(module, *arguments, home=home, cache=cache, cwd=home)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_search_goes_on_from_another_machine(bucket, tmp_path):  # the fixture
    results, one, two = f"s3://{bucket}/results", tmp_path / "one", tmp_path / "two"
    said = run("run", "--results", results, "--name", "s", "--trials", "2", *SMALL, home=one, cache=one / "cache")
    assert f"report: {results}/s/report.html" in said
    there = keys(bucket)
    for name in ("search.json", "study.journal", "report.html", "winner/model.onnx", "winner/metrics.json"):
        assert f"results/s/{name}" in there
    assert any(re.fullmatch(r"results/s/trials/trial-\d/checkpoints/checkpoint.json", key) for key in there)
    assert not any("/gangs/" in key or key.endswith((".lock", ".partial")) for key in there)
    shutil.rmtree(one)
    run("run", "--results", results, "--resume", "s", "--trials", "3", home=two, cache=two / "cache")
    assert "results/s/winner-1/metrics.json" in keys(bucket)
    rows = json.loads(run("leaderboard", f"{results}/s", "--format", "json", home=one, cache=one / "cache"))
    assert len(rows) == 3
    (row,) = json.loads(run("leaderboard", results, "--format", "json", home=one, cache=one / "cache"))
    assert (row["search"], row["status"]) == ("s", "finished")
    assert not [path for path in (one / "cache").rglob("*") if path.suffix in {".safetensors", ".onnx"}]
    run("replay", f"{results}/s", home=one, cache=one / "cache")
    run("report", f"{results}/s", home=one, cache=one / "cache")
    run("export", f"{results}/s", "--formats", "onnx,pt2", home=one, cache=one / "cache")
    assert "results/s/winner/model.pt2" in keys(bucket)
    taken = command_line("run", "--results", results, "--name", "s", *SMALL, home=two, cache=two / "cache", cwd=two)
    assert (taken.returncode, taken.stdout) == (2, "")
    assert taken.stderr == (f"error: --name 's': '{results}/s' exists already; choose another name, or --resume it\n")


ALONE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
HIDING = 'mount -t tmpfs none "$0" && exec "$@"'


@pytest.fixture
def nodes(driver, bucket, tmp_path, monkeypatch) -> Iterator[object]:  # the fixture
    """A head without cores for training, where the driver runs, and two nodes that see nothing of its folder.

    Each of those has a cache of its own.
    """
    from ray.cluster_utils import Cluster

    from searchspace.cluster.connect import WORKER_ENVIRONMENT
    from searchspace.ray_compat import RAY_VARIABLES

    for name, value in (RAY_VARIABLES | WORKER_ENVIRONMENT | {MARK: driver.mark, "PYTHONPATH": driver.here}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("RAY_AUTH_TOKEN")  # an open cluster; a driver that brings a token could run nothing on it
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(driver.root / "cache"))
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    cluster.caches = [tmp_path / "node-1", tmp_path / "node-2"]
    start = [sys.executable, "-m", "ray.scripts.scripts", "start", f"--address={cluster.address}", "--num-cpus=1"]
    start += ["--object-store-memory=150000000", "--block"]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for number, cache in enumerate(cluster.caches, start=2):
            mine = os.environ | {"SEARCHSPACE_CACHE": str(cache), "RAY_raylet_start_wait_time_s": "200"}
            with cache.with_suffix(".log").open("w") as log:
                command = [*ALONE, "sh", "-c", HIDING, str(driver.root), *start]
                started.append(subprocess.Popen(command, stdout=log, stderr=log, env=mine, cwd="/"))
            wait_until(lambda number=number: alive(cluster) == number)
        yield cluster
    finally:
        end(started)
        cluster.shutdown()


def alive(cluster) -> int:
    return sum(node["Alive"] for node in cluster.global_state.node_table())


def end(nodes: list[subprocess.Popen[bytes]]) -> None:
    for node in nodes:
        node.kill()  # and with it all that is in its namespace
        node.wait(60)


@pytest.fixture
def driver(tmp_path) -> Iterator[Driver]:
    (tmp_path / "driver").mkdir()
    found = Driver(tmp_path / "driver")
    yield found
    try:
        check_nothing_left(found.mark)
    finally:
        found.stop()


def wait_until(true, patience=240.0):
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(900)
def test_nodes_that_share_no_disk_search_by_a_url(driver, nodes, bucket, colour_folder):  # fixtures
    FolderSync(SearchStorage(folder=str(colour_folder), url=f"s3://{bucket}/images")).push()
    driver.start(
        "--data", f"s3://{bucket}/images", "--results", f"s3://{bucket}/results", "--address", nodes.address,
        "--trials", "4", *SMALL, "--ensemble", "--distil", "--max-params", "100000",
    )  # fmt: skip
    assert driver.ends(600) == 0, driver.output
    assert "warning: no student" not in driver.output
    for cache in nodes.caches:
        assert [path.name for path in (cache / "stores").iterdir() if path.is_dir()], "its own copy of the store"
        assert not (cache / "data").exists(), "and none of the images"
        assert list((cache / "scratch").iterdir()) == []
    there = driver.root / "there"
    FolderSync(SearchStorage(folder=str(there), url=f"s3://{bucket}/results/s")).pull()
    check(there, 4)
    assert "results/s/student/model.onnx" in keys(bucket)


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_a_folder_that_a_node_does_not_see_is_one_line_before_any_training(driver, nodes):
    driver.start("--address", nodes.address, "--trials", "4", *SMALL)
    assert driver.ends() == 2, driver.output
    assert re.search(
        r"^error: --results 'results': node \S+ does not see that folder; give one that all nodes share, or s3://",
        driver.output, re.MULTILINE,
    ), driver.output  # fmt: skip
    assert not driver.folder.exists(), "the name is free again"


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_a_study_in_postgresql_survives_a_kill_and_is_read_by_boards(driver, postgres, monkeypatch):
    monkeypatch.setenv("SEARCHSPACE_STORAGE", postgres)
    hidden = redact_urls(postgres)
    driver.start("--storage", hidden, "--trials", "6", *SMALL)
    driver.wait_for(r"paused at epoch|complete at epoch")
    before = Snapshot.take(driver.folder)
    driver.signal(signal.SIGKILL)
    driver.ends()
    check_nothing_left(driver.mark)
    assert not (driver.folder / JOURNAL).exists()
    driver.resume()
    assert driver.ends(300) == 0, driver.output
    check(driver.folder, 6, before)
    assert "a secret" not in (driver.folder / "search.json").read_text()
    done = subprocess.run(
        [sys.executable, "-m", "searchspace.leaderboard", "results/s", "--format", "json"], capture_output=True,
        text=True, check=False, cwd=driver.root, env=os.environ | {"PYTHONPATH": driver.here},
    )  # fmt: skip
    assert (done.returncode, len(json.loads(done.stdout))) == (0, 6), done.stderr


def test_postgresql_without_its_driver_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg2", None)  # as where it is not installed
    spec = make_spec(name="s", results=str(tmp_path), storage="postgresql://me@127.0.0.1:1/db")
    with pytest.raises(UserError, match=r"driver is not installed; .* pip install 'searchspace\[cluster\]'"):
        load_own_study(spec, spec.folder)


def test_postgresql_that_nobody_answers_for_is_one_line(tmp_path):
    spec = make_spec(name="s", results=str(tmp_path), storage="postgresql://me:secret@127.0.0.1:1/db")
    with pytest.raises(UserError, match=r"--storage 'postgresql://me:\*\*\*@127.0.0.1:1/db': .*refused"):
        load_own_study(spec, spec.folder)
