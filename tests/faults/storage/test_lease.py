"""The lease of a search at a URL, attacked: races, slow and failing storage, wrong clocks, a suspended machine."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from searchspace.spec import make_spec
from searchspace.storage import lease as lease_module
from searchspace.storage import lease_renewal, open_search
from searchspace.storage.lease import HOLDER_FILE, LEASE, Lease, LeaseHolder, LeaseLostError, LeaseTimes
from searchspace.storage.open_search import hold_search
from tests.helpers.servers.s3_server import content, keys, s3
from trainables.common.errors import UserError
from trainables.config import Assignment, TrialConfig
from trainables.storage.object_store import guarded_uploads
from trainables.storage.object_store.conditional import ConflictError
from trainables.storage.object_store.guarded_uploads import open_conditional
from trainables.storage.object_store.remote import Remote
from trainables.storage.trial_directory import open_trial_directory

QUICK = LeaseTimes(renewal=0.1, retry=0.1, settle=0.3)
HOUR = 3600.0


@pytest.fixture
def spec(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr(open_search, "UPLOAD_INTERVAL_S", 0.05)
    monkeypatch.setattr(open_search, "FINAL_UPLOAD_S", 0.5)
    go(monkeypatch, tmp_path, "one")
    return make_spec(name="s", results=f"s3://{bucket}/results")


def go(monkeypatch, tmp_path, machine):
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / machine))


def lease_of(url, folder, times=QUICK):
    folder.mkdir(parents=True, exist_ok=True)
    return Lease(Remote.open(url), folder, times)


def leave(bucket, state):
    """Leave at the URL what a command before may have left."""
    if state == "nothing":
        s3().delete_object(Bucket=bucket, Key=f"s/{LEASE}")
        return
    left = LeaseHolder(id="before", process=1, host="elsewhere", since="then", released=state == "released")
    body = b"\0" * 40 if state == "unreadable" else left.model_dump_json().encode()
    s3().put_object(Bucket=bucket, Key=f"s/{LEASE}", Body=body)


def wait_until(true, patience=20.0):
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("state", ["nothing", "released", "stale", "unreadable"])
def test_of_those_who_take_it_at_once_one_succeeds(bucket, store, tmp_path, state):
    for seed in range(8):
        leave(bucket, state)
        store.clock += timedelta(seconds=100)  # whatever was there is stale
        rng = random.Random(seed)
        takers = [lease_of(f"s3://{bucket}/s", tmp_path / f"{seed}-{n}") for n in range(rng.randint(2, 4))]
        start = threading.Barrier(len(takers))

        def take(taker, delay, start=start):
            start.wait()
            time.sleep(delay)
            try:
                taker.acquire("s")
            except UserError as error:
                return str(error)
            return taker

        with ThreadPoolExecutor(len(takers)) as threads:
            delays = [rng.choice((0.0, rng.uniform(0, 0.02))) for _ in takers]
            came_to = list(threads.map(take, takers, delays))
        won = [each for each in came_to if isinstance(each, Lease)]
        assert len(won) == 1, f"seed {seed}"
        assert all("is working on it" in each for each in came_to if isinstance(each, str))
        won[0].renew()
        assert LeaseHolder.model_validate_json(content(bucket, f"s/{LEASE}")).id == won[0].id


def test_who_looked_long_ago_does_not_take_it(bucket, tmp_path, monkeypatch):
    late, early = (lease_of(f"s3://{bucket}/s", tmp_path / name) for name in ("late", "early"))
    original, seen, go_on = Lease._read, threading.Event(), threading.Event()

    def read_and_sleep(self):
        found = original(self)
        if self is late and not seen.is_set():
            seen.set()
            go_on.wait()
        return found

    monkeypatch.setattr(Lease, "_read", read_and_sleep)
    refused = []

    def take_late():
        try:
            late.acquire("s")
        except UserError as error:
            refused.append(error)

    thread = threading.Thread(target=take_late)
    thread.start()
    seen.wait()
    early.acquire("s")
    go_on.set()
    thread.join()
    assert refused
    early.renew()


@pytest.mark.parametrize("off", [-HOUR, HOUR])
def test_wrong_clocks_of_machines_do_not_matter(spec, store, tmp_path, monkeypatch, off):
    real = time.time
    with hold_search(spec, begun=False, times=QUICK):
        monkeypatch.setattr(time, "time", lambda: real() + off)
        go(monkeypatch, tmp_path, "two")
        with pytest.raises(UserError, match="is working on it"), hold_search(spec, begun=True, times=QUICK):
            pass
        go(monkeypatch, tmp_path, "one")
    monkeypatch.setattr(time, "time", real)
    gone = lease_of(f"{spec.home.url}", tmp_path / "gone")
    gone.acquire("s")
    store.clock += timedelta(seconds=91)
    monkeypatch.setattr(time, "time", lambda: real() + off)
    go(monkeypatch, tmp_path, "two")
    with hold_search(spec, begun=True, times=QUICK):
        pass


@pytest.mark.parametrize("off", [-HOUR, HOUR])
def test_a_wrong_clock_of_the_store_does_not_matter(spec, store, tmp_path, monkeypatch, off):
    store.clock += timedelta(seconds=off)
    with hold_search(spec, begun=False, times=QUICK):
        go(monkeypatch, tmp_path, "two")
        with pytest.raises(UserError, match="is working on it"), hold_search(spec, begun=True, times=QUICK):
            pass


def test_an_upload_that_takes_longer_than_the_lease_keeps_it(spec, bucket, store, tmp_path, monkeypatch):
    store.slow["slow.txt"] = 4.0
    times = LeaseTimes(stale=2.0, margin=0.5, renewal=0.2, retry=0.1)
    with hold_search(spec, begun=False, times=times) as mirror:
        (mirror.folder / "slow.txt").write_text("x")
        wait_until(lambda: any(key.endswith("slow.txt") for key in store.writing))
        time.sleep(3.0)
        assert any(key.endswith("slow.txt") for key in store.writing)
        other = lease_of(spec.home.url, tmp_path / "other", times)
        with pytest.raises(UserError, match="is working on it"):
            other.acquire("s")
    assert content(bucket, "results/s/slow.txt") == b"x"


def test_an_upload_that_outlives_the_lease_is_not_published(spec, bucket, store, tmp_path, monkeypatch, logged):
    """A large file on its way while another takes over: the other's file stays."""
    monkeypatch.setattr(guarded_uploads, "TRANSFER_BYTES", 1000)
    ended = []
    monkeypatch.setattr(lease_renewal.os, "kill", lambda process, number: ended.append(number))
    with hold_search(spec, begun=False, times=LeaseTimes(renewal=HOUR)) as mirror:
        (mirror.folder / "model.bin").write_bytes(b"old" * 1000)
        wait_until(lambda: "results/s/model.bin" in keys(bucket))
        store.slow[".partial"] = 1.0
        (mirror.folder / "model.bin").write_bytes(b"stale" * 1000)
        wait_until(lambda: any(key.startswith("results/s/model.bin.") for key in store.writing))
        taken = LeaseHolder(id="other", process=1, host="elsewhere", since="now")
        s3().put_object(Bucket=bucket, Key=f"results/s/{LEASE}", Body=taken.model_dump_json().encode())
        monkeypatch.setattr(
            lease_module, "monotonic_seconds", lambda now=lease_module.monotonic_seconds: now() + 80.0
        )  # no renewal came through
        wait_until(lambda: ended)
    assert content(bucket, "results/s/model.bin") == b"old" * 1000
    assert not any(key.endswith(".partial") for key in keys(bucket))
    assert logged == ["warning: process 1 on elsewhere has taken over; this command ends, and uploads no more"]


def test_a_request_that_was_held_up_replaces_nothing_of_the_new_holder(spec, bucket, tmp_path, monkeypatch):
    """As of a machine that is suspended between its check and the request."""
    ended, hold, held, go_on = [], threading.Event(), threading.Event(), threading.Event()
    check = Lease.check

    def check_and_sleep(self):
        check(self)
        if hold.is_set():
            held.set()
            go_on.wait()

    monkeypatch.setattr(Lease, "check", check_and_sleep)
    monkeypatch.setattr(lease_renewal.os, "kill", lambda process, number: ended.append(number))
    with hold_search(spec, begun=False, times=LeaseTimes(renewal=HOUR)) as mirror:
        (mirror.folder / "study.journal").write_text("1")
        wait_until(lambda: "results/s/study.journal" in keys(bucket))
        hold.set()
        (mirror.folder / "study.journal").write_text("stale")
        held.wait(20)
        taken = LeaseHolder(id="other", process=1, host="elsewhere", since="now")
        for name, body in ((LEASE, taken.model_dump_json()), ("study.journal", "of the new one")):
            s3().put_object(Bucket=bucket, Key=f"results/s/{name}", Body=body.encode())
        go_on.set()
        wait_until(lambda: ended)
    assert content(bucket, "results/s/study.journal") == b"of the new one"


def test_what_was_begun_and_never_ended_goes(spec, bucket):
    s3().put_object(Bucket=bucket, Key="results/s/model.bin.0123.partial", Body=b"half")
    with hold_search(spec, begun=False, times=QUICK):
        pass
    assert not any(key.endswith(".partial") for key in keys(bucket))


SUSPENDED = """
import sys, time
from searchspace.storage import open_search
from searchspace.storage.lease import LeaseTimes
from searchspace.spec import make_spec

open_search.UPLOAD_INTERVAL_S = 0.02
times = LeaseTimes(stale=1.5, margin=0.5, renewal=100.0)  # so that the upload is the first to notice
count = 0
with open_search.hold_search(make_spec(name="s", results=sys.argv[1]), begun=False, times=times) as mirror:
    print("working", flush=True)
    while True:
        count += 1
        (mirror.folder / "study.journal").write_text(f"stale {count}")
        time.sleep(0.01)
"""


def test_a_suspended_command_notices_before_it_writes_anything(spec, bucket, store, tmp_path, monkeypatch):
    s3().put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    with subprocess.Popen(
        [sys.executable, "-c", SUSPENDED, spec.results], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout.readline() == "working\n"
            wait_until(lambda: "results/s/study.journal" in keys(bucket))
            os.kill(process.pid, signal.SIGSTOP)
            time.sleep(1.5)
            wait_until(lambda: not store.writing)  # what it had sent has come
            store.clock += timedelta(seconds=100)
            go(monkeypatch, tmp_path, "two")
            with hold_search(spec, begun=True, times=QUICK) as mirror:
                (mirror.folder / "study.journal").write_text("of the new one")
                wait_until(lambda: content(bucket, "results/s/study.journal") == b"of the new one")
                os.kill(process.pid, signal.SIGCONT)
                out, _ = process.communicate(timeout=20)
        finally:
            process.kill()
    assert "has taken over; this command ends, and uploads no more" in out
    assert process.returncode == -signal.SIGTERM
    assert content(bucket, "results/s/study.journal") == b"of the new one"
    newest = s3().list_object_versions(Bucket=bucket, Prefix="results/s/study.journal")["Versions"]
    bodies = [
        s3().get_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])["Body"].read() for each in newest
    ]
    after = bodies[: bodies.index(b"of the new one")]
    assert after == [], "it wrote after another had taken over"


def test_a_suspended_command_that_nobody_replaced_goes_on(bucket, tmp_path, monkeypatch):
    mine = lease_of(f"s3://{bucket}/s", tmp_path / "mine")
    mine.acquire("s")
    before = content(bucket, f"s/{LEASE}")
    mine.check()
    assert content(bucket, f"s/{LEASE}") == before, "no request where the last renewal is new"
    monkeypatch.setattr(lease_module, "monotonic_seconds", lambda now=lease_module.monotonic_seconds: now() + HOUR)
    mine.check()
    assert content(bucket, f"s/{LEASE}") != before


def test_nothing_is_uploaded_while_the_lease_cannot_be_renewed(bucket, tmp_path, monkeypatch):
    mine = lease_of(f"s3://{bucket}/s", tmp_path / "mine")
    mine.acquire("s")
    monkeypatch.setattr(lease_module, "monotonic_seconds", lambda now=lease_module.monotonic_seconds: now() + HOUR)
    monkeypatch.setattr(Remote, "write", fail)
    monkeypatch.setattr(type(mine._store), "write", fail)
    with pytest.raises(OSError, match="no route"):
        mine.check()


def fail(*_arguments):
    raise OSError("no route to host")


def test_a_renewal_whose_answer_was_lost_is_no_loss_of_the_lease(bucket, tmp_path, monkeypatch):
    mine = lease_of(f"s3://{bucket}/s", tmp_path / "mine")
    mine.acquire("s")
    client, write = type(mine._store), type(mine._store).write

    def written_without_an_answer(self, name, content, version):
        write(self, name, content, version)
        raise OSError("connection reset")

    monkeypatch.setattr(client, "write", written_without_an_answer)
    with pytest.raises(OSError, match="connection reset"):
        mine.renew()
    monkeypatch.setattr(client, "write", write)
    mine.renew()

    def written_twice(self, name, content, version):
        write(self, name, content, version)
        return write(self, name, content, version)  # as a client does that tries again

    monkeypatch.setattr(client, "write", written_twice)
    mine.renew()
    mine.release()


def test_a_lease_that_was_deleted_is_written_again(bucket, tmp_path):
    mine = lease_of(f"s3://{bucket}/s", tmp_path / "mine")
    mine.acquire("s")
    leave(bucket, "nothing")
    mine.renew()
    assert LeaseHolder.model_validate_json(content(bucket, f"s/{LEASE}")).id == mine.id


@pytest.mark.parametrize("state", ["unreadable", "held"])
def test_a_lease_counts_until_it_is_stale_whoever_wrote_it(bucket, store, tmp_path, state):
    leave(bucket, state)
    taker = lease_of(f"s3://{bucket}/s", tmp_path / "taker")
    with pytest.raises(UserError, match="is working on it"):
        taker.acquire("s")
    assert keys(bucket) == {f"s/{LEASE}"}, "no probe of the clock is left"
    store.clock += timedelta(seconds=91)
    taker.acquire("s")


@pytest.mark.parametrize("lacking", ["the store ignores conditions", "no client is installed"])
def test_without_conditional_writes_the_last_to_write_has_it(bucket, store, tmp_path, monkeypatch, lacking):
    if lacking == "no client is installed":
        monkeypatch.setattr(guarded_uploads, "find_spec", lambda name: None)
        assert open_conditional(Remote.open(f"s3://{bucket}/s")) is None
    else:
        store.conditional = False
    patient = LeaseTimes(settle=2.0)  # this machine may be slow; that it can be too short is why stores are asked first
    takers = [lease_of(f"s3://{bucket}/s", tmp_path / str(n), patient) for n in range(3)]

    def take(taker):
        try:
            taker.acquire("s")
        except UserError:
            return None
        return taker

    with ThreadPoolExecutor(3) as threads:
        (won,) = filter(None, threads.map(take, takers))
    won.renew()
    taken = LeaseHolder(id="other", process=1, host="elsewhere", since="now")
    s3().put_object(Bucket=bucket, Key=f"s/{LEASE}", Body=taken.model_dump_json().encode())
    with pytest.raises(LeaseLostError, match="process 1 on elsewhere has taken over"):
        won.renew()
    with pytest.raises(LeaseLostError):
        won.check()
    assert LeaseHolder.model_validate_json(content(bucket, f"s/{LEASE}")) == taken


def test_google_writes_by_generation(gcs):
    there = open_conditional(Remote.open(gcs))
    assert there.read(LEASE) is None
    assert there.version(LEASE) is None
    first = there.write(LEASE, b"1", None)
    with pytest.raises(ConflictError):
        there.write(LEASE, b"2", None)
    second = there.write(LEASE, b"2", first)
    with pytest.raises(ConflictError):
        there.write(LEASE, b"3", first)
    assert there.read(LEASE) == (b"2", second)
    assert there.version(LEASE) == second


def test_google_is_asked_for_a_lease(gcs, tmp_path):
    one, two = (lease_of(gcs, tmp_path / name) for name in ("one", "two"))
    assert one.acquire("s") is False
    one.renew()
    one.release()
    two.acquire("s")
    with pytest.raises(LeaseLostError):
        one.renew()


def test_the_holder_is_kept_in_the_working_copy(bucket, tmp_path: Path):
    first = lease_of(f"s3://{bucket}/s", tmp_path / "one")
    first.acquire("s")
    again = lease_of(f"s3://{bucket}/s", tmp_path / "one")
    assert again.acquire("s") is True, "a killed command's own machine need not wait"
    assert (tmp_path / "one" / HOLDER_FILE).read_text() == again.id


def test_a_worker_of_a_command_that_was_replaced_leaves_nothing(spec, bucket, tmp_path, monkeypatch):
    """Its driver may be suspended, and cannot tell it."""
    with hold_search(spec, begun=False, times=LeaseTimes(renewal=HOUR)) as mirror:
        task = Assignment(
            trial="t", kind="search", config=TrialConfig(), seed=0, max_epochs=1, folder=str(mirror.folder / "trials/t")
        )
        with open_trial_directory(mirror.storage, task, "0 0") as visit:
            (Path(visit.assignment.folder) / "model.json").write_text("before")
            visit.upload()
            taken = LeaseHolder(id="other", process=1, host="elsewhere", since="now")
            s3().put_object(Bucket=bucket, Key=f"results/s/{LEASE}", Body=taken.model_dump_json().encode())
            (Path(visit.assignment.folder) / "model.json").write_text("stale")
            with pytest.raises(OSError, match="another command has taken over the search"):
                visit.upload()
        mirror.storage.remove_folder(mirror.folder / "trials/t")
        monkeypatch.setattr(lease_renewal.os, "kill", lambda process, number: None)
    assert content(bucket, "results/s/trials/t/model.json") == b"before"
