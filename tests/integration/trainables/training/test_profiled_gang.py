"""A gang of two workers that is timed."""

from pathlib import Path

import pytest

from trainables.config import Assignment, TrialConfig
from trainables.storage.folder_sync import FolderSync
from trainables.storage.search_storage import SearchStorage
from trainables.training.timing import read_timing

SMALL = TrialConfig(width=8, depth=2, batch_size=64)
FROZEN = TrialConfig(model="tf_efficientnet_lite0", freeze="all")


def assignment(folder: Path, config: TrialConfig, kind: str = "probe") -> Assignment:
    return Assignment(trial="t", kind=kind, config=config, seed=7, max_epochs=3, folder=str(folder))


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_a_gang_of_two_is_timed_together_and_what_cannot_run_says_why(digits, tmp_path):
    from trainables.workers.gang_pool import GangPool
    from trainables.workers.gang_resources import GangResources

    pool = GangPool(
        GangResources(slots=1, workers=2, cpus=1, gpus=0), digits, FolderSync(SearchStorage(folder=str(tmp_path)))
    )
    impossible = TrialConfig(model="no_such_backbone")
    tasks = [assignment(tmp_path / str(n), config) for n, config in enumerate((impossible, SMALL, FROZEN))]
    unable, able, frozen = pool.run_trials(tasks)
    pool.close()
    assert (unable.status, able.status, frozen.status) == ("failed", "complete", "complete")
    assert "no_such_backbone" in unable.reason
    assert read_timing(tmp_path / "1").epoch_seconds > 0
    assert read_timing(tmp_path / "2").config == FROZEN
    assert not list(tmp_path.glob("*/checkpoints/*"))
