"""Probes on real digits: what they say is true, and they leave nothing behind."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from trainables.config import Assignment, TrialConfig
from trainables.data.store.store import Store
from trainables.training.device import peak_memory, reset_peak_memory
from trainables.training.loop import TrialRun
from trainables.training.profiling import ProbeRun, probe_trial
from trainables.training.timing import read_timing, write_timing
from trainables.workers.worker_context import ProcessGroup, WorkerContext

CPU = ProcessGroup(0, 1, torch.device("cpu"))
SMALL = TrialConfig(width=8, depth=2, batch_size=64)
FROZEN = TrialConfig(model="tf_efficientnet_lite0", freeze="all")


@pytest.fixture
def place(digits_store: Store) -> Iterator[WorkerContext]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # several, on busy cores, wait for each other
    yield WorkerContext.open(CPU, digits_store)
    torch.set_num_threads(threads)


def assignment(folder: Path, config: TrialConfig, kind: str = "probe") -> Assignment:
    return Assignment(trial="t", kind=kind, config=config, seed=7, max_epochs=3, folder=str(folder))


def test_a_probe_says_what_training_takes(place, tmp_path):
    found = probe_trial(assignment(tmp_path, SMALL), place)
    run = TrialRun(assignment(tmp_path / "real", SMALL, "search"), place)
    run.train_epoch()
    started = time.perf_counter()
    report = run.train_epoch()
    taken = time.perf_counter() - started
    assert taken / 10 < found.epoch_seconds < taken * 10, "of the same kind, however busy this machine is"
    assert (found.parameters, found.steps) == (report.parameters, run.steps_an_epoch)
    assert found.setup_seconds > 0
    run.save()
    run.close()
    assert found.checkpoint_mb * 1e6 == pytest.approx(sum(f.stat().st_size for f in run.folder.iterdir()), rel=0.05)
    assert not any(tmp_path.glob("checkpoints/*")), "nothing that was trained is kept"


def test_larger_networks_cost_more(place, tmp_path):
    small, large = (
        probe_trial(assignment(tmp_path / str(width), SMALL.model_copy(update={"width": width})), place)
        for width in (8, 64)
    )
    assert large.step_seconds > small.step_seconds
    assert large.parameters > small.parameters
    assert large.checkpoint_mb > small.checkpoint_mb


def test_features_are_sampled_and_not_computed(place, tmp_path):
    store = place.store
    config = FROZEN.model_copy(update={"input_size": 40})  # of a size that no other test computes
    found = probe_trial(assignment(tmp_path, config), place)
    assert not list(store.path.glob("features/*-40-*")), "a dry run leaves the store as it was"
    assert found.once_seconds > 5 * found.epoch_seconds, "the backbone costs more than the head"
    assert found.features_mb == pytest.approx(len(store.labels) * 1280 * 4 / 1e6)
    whole = sum(p.numel() for p in TrialRun(assignment(tmp_path / "a", config, "winner"), place).model.parameters())
    assert found.parameters == whole
    again = probe_trial(assignment(tmp_path / "again", config), place)
    assert again.once_seconds == 0, "now that they are there, they cost nothing"


def test_one_step_an_epoch_is_enough(place, tmp_path):
    run = ProbeRun(assignment(tmp_path, SMALL.model_copy(update={"batch_size": 4096})), place)
    assert run.steps_an_epoch == 1
    assert run.time_steps() > 0


def test_peak_memory_is_of_now(tmp_path):
    reset_peak_memory(CPU.device)
    before = peak_memory(CPU.device)
    held = torch.ones(50_000_000)
    assert peak_memory(CPU.device) - before == pytest.approx(held.nbytes, rel=0.2)
    del held
    reset_peak_memory(CPU.device)
    assert peak_memory(CPU.device) < before + 100_000_000


def test_a_timing_crosses_the_disk_as_it_is(place, tmp_path):
    found = probe_trial(assignment(tmp_path, SMALL), place)
    write_timing(tmp_path, found)
    assert read_timing(tmp_path) == found
