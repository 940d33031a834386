"""Storage that is overloaded or breaks off: what a search keeps there arrives whole, once, and in bounded time."""

import os
import random
import time

import pytest

from tests.helpers.servers.flaky_s3 import flaky
from tests.helpers.servers.s3_server import content, keys
from trainables.storage.folder_sync import FolderSync
from trainables.storage.object_store import storage_retry as retrying_module
from trainables.storage.object_store.storage_retry import RETRY_ATTEMPTS, is_transient, retry_transient
from trainables.storage.search_storage import SearchStorage

THROTTLED = "When uploading object: AWS Error UNKNOWN (HTTP status 429) during PutObject operation: TooManyRequests"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(retrying_module, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(retrying_module, "LONGEST_PAUSE_S", 0.01)


@pytest.mark.parametrize(
    ("said", "passing"),
    [
        (THROTTLED, True), ("AWS Error SLOW_DOWN during PutObject operation: Please reduce", True),
        ("AWS Error SERVICE_UNAVAILABLE during", True), ("AWS Error INTERNAL_FAILURE during", True),
        ("AWS Error NETWORK_CONNECTION during GetObject operation: curlCode: 56", True),
        ("AWS Error UNKNOWN (HTTP status 503) during", True), ("AWS Error ACCESS_DENIED during", False),
        ("AWS Error NO_SUCH_BUCKET during", False), ("AWS Error UNKNOWN (HTTP status 412) during", False),
    ],
)  # fmt: skip
def test_what_may_be_over_soon_is_known(said, passing):
    assert is_transient(OSError(said)) is passing
    assert not is_transient(FileNotFoundError(2, said))


@pytest.mark.parametrize("failures", range(RETRY_ATTEMPTS + 2))
def test_what_passes_is_tried_a_bounded_number_of_times(failures):
    done: list[int] = []

    def do() -> str:
        done.append(1)
        if len(done) <= failures:
            raise OSError(THROTTLED)
        return "done"

    if failures < RETRY_ATTEMPTS:
        assert retry_transient(do) == "done"
        assert len(done) == failures + 1
    else:
        with pytest.raises(OSError, match="429"):
            retry_transient(do)
        assert len(done) == RETRY_ATTEMPTS


def test_what_does_not_pass_is_raised_at_once():
    done: list[int] = []

    def do() -> None:
        done.append(1)
        raise PermissionError(13, "denied")

    with pytest.raises(PermissionError):
        retry_transient(do)
    assert len(done) == 1


@pytest.mark.parametrize("seed", [0, 1])
def test_a_folder_and_its_twin_are_the_same_after_a_storm(seed, bucket, s3_server, tmp_path, monkeypatch):
    rng = random.Random(seed)
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    url = f"s3://{bucket}/search"
    with flaky(s3_server, 0.3, seed) as (address, faults):
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        began, mirror = (
            time.monotonic(),
            FolderSync(SearchStorage(folder=str(here), url=f"{url}?region=us-east-{seed + 1}")),
        )
        for _ in range(3):
            for number in range(10):
                (here / f"{number}.bin").write_bytes(rng.randbytes(rng.randint(0, 50_000)))
            (here / f"{rng.randrange(10)}.bin").unlink()
            mirror.push()
        FolderSync(SearchStorage(folder=str(there), url=f"{url}?region=us-east-{seed + 1}")).pull()
    assert sum(faults.values()) >= 8, faults
    assert faults["429"] >= 1, "which pyarrow does not try again itself"
    assert time.monotonic() - began < 120
    kept = {file.name: file.read_bytes() for file in here.iterdir()}
    assert {file.name: file.read_bytes() for file in there.iterdir()} == kept
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    assert {os.path.basename(key): content(bucket, key) for key in keys(bucket)} == kept
