"""Shared storage that is overloaded under a running search."""

import pytest

from tests.helpers.faults.invariant import check
from tests.helpers.servers.flaky_s3 import flaky
from trainables.storage.folder_sync import FolderSync
from trainables.storage.search_storage import SearchStorage

SMALL = ("--models", "convnet", "--max-epochs", "6", "--final-seeds", "1", "--finalists", "1", "--formats", "onnx")


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_a_search_at_a_bucket_that_throttles_comes_whole(driver, bucket, s3_server, tmp_path, monkeypatch):
    url = f"s3://{bucket}/results"
    with flaky(s3_server, 0.1) as (address, faults):
        driver.start(
            "--trials", "6", "--results", url, "--max-concurrent", "2", *SMALL,
            environment={"AWS_ENDPOINT_URL": address, "SEARCHSPACE_CACHE": str(tmp_path / "cache")},
        )  # fmt: skip
        assert driver.ends(400) == 0, driver.output
    assert sum(faults.values()) > 20, faults
    assert faults["429"] > 0
    (tmp_path / "fetched").mkdir()
    FolderSync(SearchStorage(folder=str(tmp_path / "fetched"), url=f"{url}/s")).pull()
    check(tmp_path / "fetched", 6)
    assert (tmp_path / "fetched" / "winner" / "model.onnx").is_file()
