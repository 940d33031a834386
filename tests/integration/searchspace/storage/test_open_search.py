"""Results at a URL: one machine at a time works on a search, and what it leaves is there, or it says what is not."""

import re
import shutil
import time
import urllib.request
from datetime import timedelta
from functools import partial

import pytest

from searchspace.preparation.preflight import check_name
from searchspace.spec import make_spec
from searchspace.storage import lease, lease_renewal, open_search
from searchspace.storage.open_search import hold_search
from tests.helpers.commands import command
from tests.helpers.servers.s3_server import content, keys, s3
from trainables.common.errors import UserError


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(open_search, "UPLOAD_INTERVAL_S", 0.05)
    monkeypatch.setattr(open_search, "FINAL_UPLOAD_S", 0.5)


hold_search = partial(hold_search, times=lease.LeaseTimes(renewal=0.05, retry=0.05, settle=0.1))


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Go to another machine: one with a cache of its own."""

    def go(name):
        monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / name))

    go("one")
    return go


@pytest.fixture
def spec(bucket, machine):
    return make_spec(name="s", results=f"s3://{bucket}/results")


def wait_until(true, patience=20.0):
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_changes_is_uploaded_while_it_goes_and_at_the_end(spec, bucket):
    with hold_search(spec, begun=True) as mirror:
        (mirror.folder / "search.json").write_text("{}")
        wait_until(lambda: "results/s/search.json" in keys(bucket))
        (mirror.folder / "last.txt").write_text("x")
    assert content(bucket, "results/s/last.txt") == b"x"


def test_another_machine_is_told_who_works_on_it(spec, machine):
    with hold_search(spec, begun=True):
        machine("two")
        said = re.escape("search 's': process ") + r"\d+ on .* is working on it"
        with pytest.raises(UserError, match=said), hold_search(spec, begun=True):
            pass
        machine("one")
    machine("two")
    with hold_search(spec, begun=True):
        pass


def test_a_machine_that_is_gone_is_taken_over_after_a_while(spec, machine, monkeypatch, store):
    gone = hold_search(spec, begun=True)
    gone.__enter__()
    for name in ("renew", "check"):
        monkeypatch.setattr(lease.Lease, name, lambda self: None)  # it does nothing any more
    machine("two")
    store.clock += timedelta(seconds=91)
    with hold_search(spec, begun=True) as mirror:
        assert (mirror.folder / lease.HOLDER_FILE).is_file(), "the newest copy is here now"
    gone.__exit__(None, None, None)


def test_whoever_was_taken_over_ends_and_uploads_no_more(spec, bucket, machine, monkeypatch, logged):
    ended = []
    monkeypatch.setattr(lease_renewal.os, "kill", lambda process, number: ended.append(number))
    with hold_search(spec, begun=True) as mirror:
        other = lease.LeaseHolder(id="other", process=1, host="elsewhere", since="now", renewed=time.time())

        def take() -> None:  # again, where a renewal was under way
            s3().put_object(Bucket=bucket, Key=f"results/s/{lease.LEASE}", Body=other.model_dump_json().encode())

        wait_until(lambda: take() or ended)
        (mirror.folder / "late.txt").write_text("x")
    assert logged == ["warning: process 1 on elsewhere has taken over; this command ends, and uploads no more"]
    assert "results/s/late.txt" not in keys(bucket)
    assert lease.LeaseHolder.model_validate_json(content(bucket, f"results/s/{lease.LEASE}")) == other


def test_the_machine_that_was_last_goes_on_from_what_it_has(spec, machine, bucket, monkeypatch):
    with hold_search(spec, begun=True) as mirror:
        (mirror.folder / "study.journal").write_text("1\n")
        (mirror.folder / "old.txt").write_text("x")
    (mirror.folder / "study.journal").write_text("1\n2\n")  # a kill came before the upload
    (mirror.folder / "old.txt").unlink()
    s3().put_object(Bucket=bucket, Key="results/s/trials/t/checkpoints/c", Body=b"a gang's")
    with hold_search(spec, begun=True) as again:
        assert (again.folder / "study.journal").read_text() == "1\n2\n"
    assert content(bucket, "results/s/study.journal") == b"1\n2\n"
    assert "results/s/old.txt" not in keys(bucket)
    assert "results/s/trials/t/checkpoints/c" in keys(bucket)


def test_a_start_that_was_killed_before_anything_was_uploaded_begins_anew(spec, bucket):
    with hold_search(spec, begun=False) as mirror:
        check_name(spec)
        (mirror.folder / "search.json").write_text("{}")
    s3().delete_object(Bucket=bucket, Key="results/s/search.json")
    check_name(spec)
    with hold_search(spec, begun=False) as again:
        assert not (again.folder / "search.json").exists()
        (again.folder / "search.json").write_text("{}")
    with pytest.raises(UserError, match="exists already"):
        check_name(spec)


def test_where_another_was_last_the_url_counts(spec, machine):
    with hold_search(spec, begun=True) as mirror:
        (mirror.folder / "study.journal").write_text("1\n")
    machine("two")
    with hold_search(spec, begun=True) as other:
        assert (other.folder / "study.journal").read_text() == "1\n"
        (other.folder / "study.journal").write_text("1\n2\n")
    machine("one")
    (mirror.folder / "only-here.txt").write_text("stale")
    with hold_search(spec, begun=True) as mirror:
        assert (mirror.folder / "study.journal").read_text() == "1\n2\n"
        assert not (mirror.folder / "only-here.txt").exists()


def test_storage_that_fails_is_told_once_and_tried_again(spec, bucket, logged):
    with hold_search(spec, begun=True) as mirror:
        (mirror.folder / "a.txt").write_text("1")
        wait_until(lambda: "results/s/a.txt" in keys(bucket))
        empty(bucket)
        (mirror.folder / "b.txt").write_text("2")
        wait_until(lambda: logged)
        time.sleep(0.5)
        s3().create_bucket(Bucket=bucket)
        wait_until(lambda: "results/s/b.txt" in keys(bucket))
    line, passed = (line for line in logged if "lease" not in line)
    assert line.startswith(f"warning: cannot upload to s3://{bucket}/results/s (")
    assert line.endswith("trying again")
    assert passed.startswith(f"cannot upload to s3://{bucket}/results/s: that has passed, after ")


@pytest.mark.parametrize("lost", ["the folder", "its record", "its study"])
def test_a_working_copy_that_is_deleted_costs_a_warning_and_nothing_at_the_url(spec, bucket, lost, logged):
    with hold_search(spec, begun=True) as mirror:
        for name in ("search.json", "study.journal", "other.txt"):
            (mirror.folder / name).write_text("{}")
        wait_until(lambda: "results/s/search.json" in keys(bucket))
        elsewhere = mirror.folder.with_name("elsewhere")
        shutil.copytree(mirror.folder, elsewhere)
        left = {"its record": "search.json", "its study": "study.journal"}.get(lost)
        if left:
            (elsewhere / left).unlink()
            (elsewhere / "other.txt").unlink()
        mirror.folder.rename(mirror.folder.with_name("before"))
        if left:
            elsewhere.rename(mirror.folder)
        wait_until(lambda: logged)
        assert "is gone, or is being deleted" in logged[0], logged
    assert any(line.startswith("warning: not everything is at ") for line in logged)
    assert {"results/s/search.json", "results/s/study.journal", "results/s/other.txt"} <= set(keys(bucket))


def test_what_could_not_be_uploaded_is_told_at_the_end(spec, bucket, logged):
    with hold_search(spec, begun=True) as mirror:
        empty(bucket)
        (mirror.folder / "b.txt").write_text("2")
    assert logged[-1].startswith(f"warning: not everything is at s3://{bucket}/results/s (")
    assert str(mirror.folder) in logged[-1]


def empty(name):
    """Delete a bucket; again where something was written to it meanwhile."""

    def gone():
        for entry in s3().list_objects_v2(Bucket=name).get("Contents", []):
            s3().delete_object(Bucket=name, Key=entry["Key"])
        try:
            s3().delete_bucket(Bucket=name)
        except s3().exceptions.ClientError:
            return False
        return True

    wait_until(gone)


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ("s3://no-such-bucket-anywhere/x", "there is no bucket 'no-such-bucket-anywhere'"),
        ("s33://bucket/x", "s33:// is not one of s3://, gs://, file://"),
    ],
)
def test_results_that_cannot_be_are_one_line(results, said, bucket, tmp_path, cache):
    done = command("run", "--results", results, "--trials", "1", home=tmp_path, cache=cache, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"error: --results {results!r}: {said}")
    assert done.stderr.count("\n") == 1


def test_credentials_that_are_refused_are_one_line(s3_server, bucket, tmp_path, cache):
    def ask_for_credentials_after(requests):
        ask = urllib.request.Request(f"{s3_server}/moto-api/reset-auth", data=str(requests).encode())
        ask.add_header("Content-Type", "text/plain")
        urllib.request.urlopen(ask).close()

    ask_for_credentials_after(0)
    try:
        done = command("leaderboard", f"s3://{bucket}/x", home=tmp_path, cache=cache, cwd=tmp_path)
    finally:
        ask_for_credentials_after(10**9)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: folder 's3://{bucket}/x': ")
    assert "ACCESS_DENIED" in done.stderr or "403" in done.stderr or "Forbidden" in done.stderr.title()
    assert done.stderr.count("\n") == 1
