"""Inputs in memory or streamed from their file: the same numbers, within the budget, and no thread left behind."""

import dataclasses
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers.training import CPU, assignment
from trainables.data.loading.epoch_plan import Mixing, epoch_plan
from trainables.data.loading.input_loader import (
    MEMORY_SHARE,
    PREFETCHED_BATCHES,
    InMemoryLoader,
    InputLoader,
    StreamingLoader,
    make_loader,
    memory_budget,
)
from trainables.training.device import free_memory
from trainables.training.loop import TrialRun
from trainables.workers.worker_context import WorkerContext

LITTLE = 1e-6
"""GB: less than any store."""


def prefetchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


@pytest.fixture
def streamed(digits_store) -> InputLoader:
    return make_loader(digits_store.images, digits_store.labels, CPU.device, budget=0)


@pytest.fixture
def resident(digits_store) -> InputLoader:
    return make_loader(digits_store.images, digits_store.labels, CPU.device, digits_store.images.nbytes)


def test_the_budget_decides(digits_store, resident, streamed):
    assert isinstance(resident, InMemoryLoader)
    assert isinstance(streamed, StreamingLoader)
    assert (resident.memory_bytes, streamed.memory_bytes) == (digits_store.images.nbytes, 0)
    below = make_loader(digits_store.images, digits_store.labels, CPU.device, digits_store.images.nbytes - 1)
    assert isinstance(below, StreamingLoader)


def test_the_budget_is_what_was_given_or_a_share_of_what_is_free():
    assert memory_budget(CPU.device, 1.5) == 1_500_000_000
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert 0 < memory_budget(CPU.device, 0.0) <= 1.1 * MEMORY_SHARE * free_memory(CPU.device)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("shard", [(0, 1), (0, 2), (1, 2)])
def test_a_streamed_feed_is_the_resident_one(resident, streamed, shard):
    def plan():
        batches = epoch_plan(1298, 63, seed=3, epoch=1, mixing=Mixing(mixup=0.3, cutmix=1.0), shard=shard)
        return [(batch.total, batch.needed_rows) for batch in batches]

    for (total, inputs), (other_total, others) in zip(
        resident.load_ahead(plan()), streamed.load_ahead(plan()), strict=True
    ):
        assert total == other_total
        assert inputs.dtype == others.dtype == torch.uint8
        assert torch.equal(inputs, others)
    rows = np.array([5, 3, 3, 1500], dtype=np.int64)
    assert torch.equal(resident.load(rows), streamed.load(rows))
    assert torch.equal(resident.load_labels(rows), streamed.load_labels(rows))


def test_features_get_what_the_images_leave(digits_store):
    size = digits_store.images.nbytes
    assert WorkerContext.open(CPU, digits_store, size / 1e9).feature_bytes == pytest.approx(0, abs=1)
    assert WorkerContext.open(CPU, digits_store, LITTLE).feature_bytes == int(LITTLE * 1e9)


def test_the_thread_ends_with_a_trial_that_fails(digits_store, tmp_path):
    run = TrialRun(assignment(tmp_path), WorkerContext.open(CPU, digits_store, LITTLE))
    run.learner.register_forward_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run.train_epoch()
    assert prefetchers() == []


def test_the_thread_ends_when_the_feed_is_left_and_reads_no_further_than_it_may(streamed):
    asked = []

    def wanted():
        for step in range(100):
            asked.append(step)
            yield step, np.arange(step, step + 8)

    with closing(streamed.load_ahead(wanted())) as feed:
        assert next(feed)[0] == 0
        assert len(prefetchers()) == 1
    assert prefetchers() == []
    assert len(asked) == PREFETCHED_BATCHES + 1


def test_what_goes_wrong_in_the_thread_is_raised_in_the_loop(streamed):
    wanted = [(0, np.array([1, 2])), (1, np.array([3, 99_999]))]
    with closing(streamed.load_ahead(wanted)) as feed, pytest.raises(IndexError, match="rows 3 to 99999 of 1527"):
        list(feed)
    assert prefetchers() == []


def test_a_file_that_is_gone_is_named(streamed, tmp_path):
    gone = np.lib.format.open_memmap(tmp_path / "gone.npy", mode="w+", dtype=np.uint8, shape=(4, 1, 2, 2))
    Path(tmp_path / "gone.npy").unlink()
    feed = dataclasses.replace(streamed, inputs=gone).load_ahead([(0, np.array([1]))])
    with pytest.raises(FileNotFoundError, match="gone"):
        next(feed)
