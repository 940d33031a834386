"""Gangs on a real Ray: two DDP workers train one trial after another, and outlive what happens to them."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.helpers.faults.injected import injected, rule, struck
from trainables.common.errors import NoSlotLeftError
from trainables.config import CHECKPOINTS, Assignment, EpochReport, TrialConfig
from trainables.storage.folder_sync import FolderSync
from trainables.storage.search_storage import SearchStorage
from trainables.training.checkpoint import read_checkpoint
from trainables.workers.watchdog import HANG_VARIABLE


@pytest.fixture
def faulty_workers(tmp_path, monkeypatch):
    """Faults that this test's workers meet, once each; before Ray starts, whose workers inherit them."""
    faults = [rule("eio", "disk", epoch=1), rule("hang", "hung", epoch=1)]
    for name, value in injected(tmp_path / "faults", *faults, path=os.environ.get("PYTHONPATH", "")).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(HANG_VARIABLE, "2")


DIVERGING = {
    "optimizer": "sgd", "lr": 10.0, "momentum": 0.99, "batch_norm": False, "depth": 4, "warmup": 0.0, "batch_size": 32,
}  # fmt: skip


def assignment(folder: Path, trial: str, **changes) -> Assignment:
    config = TrialConfig(**({"width": 8, "depth": 2, "lr": 1e-2} | changes.pop("config", {})))
    values = {"kind": "search", "seed": 1, "max_epochs": 2} | changes
    return Assignment(trial=trial, config=config, folder=str(folder / trial), **values)


def train_workers() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [process for process in children if "RayTrainWorker" in " ".join(process.cmdline())]


def controllers() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [process for process in children if "GangController" in " ".join(process.cmdline())]


@pytest.mark.usefixtures("ray_cluster")
def test_two_workers_stay_warm_through_trials_errors_and_a_kill(digits, tmp_path):
    from trainables.workers.gang_pool import GangPool
    from trainables.workers.gang_resources import GangResources

    pool = GangPool(
        GangResources(slots=1, workers=2, cpus=1, gpus=0, memory_gb=1e-6),
        digits,
        FolderSync(SearchStorage(folder=str(tmp_path))),
    )
    infos = pool.wait_until_ready()
    assert [(info.device, info.threads) for info in infos] == [("cpu", 1)]
    before = {process.pid for process in train_workers()}
    assert len(before) == 2

    good, diverged, again = pool.run_trials(
        [
            assignment(tmp_path, "good"),
            assignment(tmp_path, "diverged", config=DIVERGING),
            assignment(tmp_path, "again"),
        ]
    )
    assert (good.status, again.status) == ("complete", "complete")
    assert (good.score, good.val_loss) == (again.score, again.val_loss), "a warm gang remembers nothing"
    assert (diverged.status, diverged.reason) == ("failed", "diverged")
    assert {process.pid for process in train_workers()} == before, "nothing restarted"

    heard: list[int] = []

    def kill_one_rank(report: EpochReport) -> None:
        heard.append(report.epoch)
        if report.epoch == 3:
            os.kill(max(before), signal.SIGKILL)

    (survivor,) = pool.run_trials(
        [assignment(tmp_path, "survivor", max_epochs=40, checkpoint_seconds=0.0)], listen=kill_one_rank
    )
    assert survivor.status == "complete"
    assert heard == list(range(1, 41)), "every epoch once, in order"
    assert not {process.pid for process in train_workers()} & before
    pool.close()


@pytest.mark.usefixtures("ray_cluster")
def test_a_trials_own_error_is_its_outcome(digits, tmp_path):
    from trainables.workers.gang_pool import GangPool
    from trainables.workers.gang_resources import GangResources

    pool = GangPool(
        GangResources(slots=1, workers=1, cpus=1, gpus=0), digits, FolderSync(SearchStorage(folder=str(tmp_path)))
    )
    bad, good = pool.run_trials(
        [assignment(tmp_path, "bad", config={"model": "no_such_backbone"}), assignment(tmp_path, "good")]
    )
    assert bad.status == "failed"
    assert "no_such_backbone" in bad.reason
    assert "Traceback" in (tmp_path / "bad" / "error.txt").read_text()
    assert good.status == "complete"
    assert not (tmp_path / "bad" / "checkpoints").exists(), "nobody goes on from what failed"
    assert json.loads((tmp_path / "good" / "checkpoints" / "checkpoint.json").read_text())["epoch"] == good.epoch
    pool.close()


@pytest.mark.usefixtures("ray_cluster")
def test_a_gang_that_cannot_start_says_why(digits, tmp_path):
    from trainables.workers.gang_pool import GangPool
    from trainables.workers.gang_resources import GangResources

    elsewhere = digits.model_copy(update={"path": str(tmp_path / "none"), "origin": "/no/such/folder"})
    pool = GangPool(
        GangResources(slots=1, workers=2, cpus=1, gpus=0), elsewhere, FolderSync(SearchStorage(folder=str(tmp_path)))
    )
    with pytest.raises(NoSlotLeftError, match=r"no slot is left to train on: the gang cannot start:.*/no/such/folder"):
        pool.run_trials([assignment(tmp_path, "any")])
    assert not pool.has_slots
    assert pool.wait_until_ready() == []
    pool.close()


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_a_killed_controller_is_replaced_and_its_trial_goes_on(digits, tmp_path):
    from trainables.workers.gang_pool import GangPool
    from trainables.workers.gang_resources import GangResources

    pool = GangPool(
        GangResources(slots=1, workers=2, cpus=1, gpus=0), digits, FolderSync(SearchStorage(folder=str(tmp_path)))
    )
    pool.wait_until_ready()
    (controller,) = controllers()
    heard: list[int] = []

    def kill_it(report: EpochReport) -> None:
        heard.append(report.epoch)
        if report.epoch == 3:
            controller.kill()

    (survivor,) = pool.run_trials(
        [assignment(tmp_path, "survivor", max_epochs=40, checkpoint_seconds=0.0)], listen=kill_it
    )
    assert survivor.status == "complete"
    assert heard == list(range(1, 41)), "every epoch once, in order, on the two CPUs that the dead one held"
    pool.close()


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_a_controller_killed_before_its_workers_are_up_holds_nothing(digits, tmp_path):
    import ray

    from trainables.workers.gang_pool import GangPool
    from trainables.workers.gang_resources import GangResources

    pool = GangPool(
        GangResources(slots=1, workers=2, cpus=1, gpus=0), digits, FolderSync(SearchStorage(folder=str(tmp_path)))
    )
    while not ray.util.placement_group_table():
        time.sleep(0.01)
    assert not train_workers()
    (controller,) = controllers()
    controller.kill()
    (report,) = pool.run_trials([assignment(tmp_path, "any")])
    assert report.status == "complete", "on the two CPUs that the dead one held"
    pool.close()


def test_a_node_that_does_not_see_the_results_says_so(tmp_path):
    from trainables.workers.worker import _check_folder

    _check_folder(SearchStorage(folder=str(tmp_path)))
    _check_folder(SearchStorage(folder="/no/such/folder", url="s3://bucket/results"))
    with pytest.raises(RuntimeError, match="does not see results folder '/no/such/folder'"):
        _check_folder(SearchStorage(folder="/no/such/folder"))


@pytest.mark.usefixtures("faulty_workers", "ray_cluster")
def test_errors_of_a_place_and_hangs_cost_a_trial_nothing_but_time(digits, tmp_path, logged):
    from trainables.workers.gang_pool import GangPool
    from trainables.workers.gang_resources import GangResources

    pool = GangPool(
        GangResources(slots=1, workers=1, cpus=1, gpus=0), digits, FolderSync(SearchStorage(folder=str(tmp_path)))
    )
    names = ("plain", "disk", "hung")
    plain, disk, hung = pool.run_trials(
        [assignment(tmp_path, name, max_epochs=9, checkpoint_seconds=0.0) for name in names]
    )
    assert struck(tmp_path / "faults") == ["0-eio-0", "1-hang-0"]
    for other in (disk, hung):
        assert (other.status, other.epoch) == ("complete", 9)
        assert (other.score, other.val_loss, other.train_loss) == (plain.score, plain.val_loss, plain.train_loss)
    assert ["storage error: OSError: [Errno 5]" in logged[0], "hung: no step for" in logged[1]] == [True, True]
    pool.close()


@pytest.mark.usefixtures("ray_cluster")
def test_without_its_parts_a_gang_trains_by_rays_public_trainer(digits, tmp_path, monkeypatch):
    from trainables import ray_train_compat  # noqa: F401  # so that it is there to be taken away
    from trainables.workers.gang_pool import GangPool
    from trainables.workers.gang_resources import GangResources

    monkeypatch.delitem(sys.modules, "trainables.ray_train_compat")
    monkeypatch.delattr("trainables.ray_train_compat", raising=False)
    monkeypatch.delattr("ray.train.v2._internal.execution.controller.TrainController")
    pool = GangPool(
        GangResources(slots=1, workers=1, cpus=1, gpus=0), digits, FolderSync(SearchStorage(folder=str(tmp_path)))
    )
    (report,) = pool.run_trials([assignment(tmp_path, "any")])
    pool.close()
    assert (report.status, report.epoch) == ("complete", 2)
    assert "trainables.ray_train_compat" not in sys.modules


class ShortAndLong:
    """Two assignments, of which the long one is not needed once the short one has ended."""

    def __init__(self, folder: Path) -> None:
        self.waiting = [assignment(folder, "long", max_epochs=100_000), assignment(folder, "short", kind="final")]
        self.ended: list[EpochReport] = []

    def next_assignments(self, running, free):
        taken, self.waiting = self.waiting[:free], self.waiting[free:]
        return taken

    def is_needed(self, trial):
        return trial == "short" or not self.ended

    def record(self, report):
        self.ended.append(report)


@pytest.mark.usefixtures("ray_cluster")
def test_what_is_not_needed_any_more_is_stopped_and_its_gang_is_free(digits, tmp_path):
    from trainables.workers.gang_pool import GangPool
    from trainables.workers.gang_resources import GangResources

    pool = GangPool(
        GangResources(slots=2, workers=1, cpus=1, gpus=0), digits, FolderSync(SearchStorage(folder=str(tmp_path)))
    )
    source, heard = ShortAndLong(tmp_path), []
    pool.run_source(source, heard.append)
    assert [report.trial for report in source.ended] == ["short"]
    assert {report.status for report in heard if report.trial == "long"} == {"running"}
    assert [report.status for report in pool.run_trials([assignment(tmp_path, name) for name in "ab"])] == [
        "complete", "complete",
    ]  # fmt: skip
    pool.close()


@pytest.mark.usefixtures("ray_cluster")
def test_an_abandoned_trial_leaves_its_epoch_and_one_that_is_released_finishes_it(digits, tmp_path):
    from trainables.workers.gang_pool import GangPool
    from trainables.workers.gang_resources import GangResources
    from trainables.workers.slot_client import SlotClient

    slow = {"width": 64, "depth": 3, "batch_size": 16}  # seconds an epoch, in which it hears five times a second
    pool = GangPool(
        GangResources(slots=1, workers=1, cpus=1, gpus=0), digits, FolderSync(SearchStorage(folder=str(tmp_path)))
    )
    pool.wait_until_ready()
    for name, abandon in (("abandoned", True), ("released", False)):
        client = SlotClient(pool.broker)
        client.assign(assignment(tmp_path, name, config=dict(slow), max_epochs=9, checkpoint_seconds=1e6))
        client.next_report()  # of its first epoch: it is in the second now
        client.release(abandon)
    assert pool.run_trials([assignment(tmp_path, "next")])[0].status == "complete"
    pool.close()
    found = {name: read_checkpoint(tmp_path / name / CHECKPOINTS) for name in ("abandoned", "released")}
    assert found["abandoned"] is None
    assert found["released"].epoch >= 2  # the decision is heard with the report after it
