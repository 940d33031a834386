"""Files that are torn, disks that are full, and readers beside the writer."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from searchspace.storage.search_folder import JOURNAL
from tests.helpers.faults.invariant import Snapshot, check

SMALL = ("--models", "convnet", "--max-epochs", "6", "--final-seeds", "1", "--finalists", "1", "--max-concurrent", "2")


def fill(file):
    """Write until the disk is full."""
    with suppress(OSError), file.open("wb", buffering=0) as filler:
        while filler.write(bytes(1 << 16)):
            pass


@pytest.mark.slow
def test_torn_files_cost_what_is_in_them_and_no_more(driver):
    driver.start("--trials", "12", *SMALL)
    driver.wait_for(r"complete at epoch")
    driver.signal(signal.SIGKILL)
    driver.ends()
    before = Snapshot.take(driver.folder)
    with (driver.folder / JOURNAL).open("ab") as journal:
        journal.write(b'{"op_code": 5, "worker_id": "x", "trial')  # cut in mid-line
    open_still = [path for path in driver.folder.glob("trials/trial-*") if int(path.name[6:]) not in before.trials]
    for newest in [file for trial in open_still for file in trial.glob("checkpoints/*.safetensors")]:
        content = newest.read_bytes()
        newest.write_bytes(content[: len(content) // 2])
    driver.resume()
    assert driver.ends() == 0, driver.output
    check(driver.folder, 12, before)


@pytest.mark.slow
def test_a_full_disk_is_waited_for(driver, tmp_path):
    """A real file system of a few megabytes, filled in the middle of the search and freed later."""
    place = tmp_path / "results"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], check=True)
    try:
        driver.start("--trials", "12", "--keep-gb", "0.004", *SMALL)
        driver.wait_for(r"paused at epoch")
        fill(place / "filler")
        time.sleep(8)
        (place / "filler").unlink()
        assert driver.ends() == 0, driver.output
        check(driver.folder, 12)
    finally:
        driver.stop()
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.slow
def test_fifty_readers_see_a_board_at_any_moment(driver):
    driver.start("--trials", "16", *SMALL)
    driver.wait_for("warm")

    environment = os.environ | {"PYTHONPATH": driver.here}

    def read(_number: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "searchspace.leaderboard", str(driver.folder), "--format", "json"]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=driver.root, env=environment)

    with ThreadPoolExecutor(8) as readers:
        found = list(readers.map(read, range(50)))
    assert [done.stderr for done in found if done.returncode] == []
    assert driver.ends() == 0, driver.output
    check(driver.folder, 16)


@pytest.mark.slow
def test_a_finished_search_can_get_more_trials(driver):
    driver.start("--trials", "6", *SMALL)
    assert driver.ends() == 0, driver.output
    before = Snapshot.take(driver.folder)
    driver.resume("--trials", "9")
    assert driver.ends() == 0, driver.output
    check(driver.folder, 9, before)
    assert (driver.folder / "winner-1" / "metrics.json").is_file(), "the first winner is kept"
    assert (driver.folder / "winner" / "metrics.json").is_file()
