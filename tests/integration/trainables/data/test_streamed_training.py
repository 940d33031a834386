"""Training on streamed images: the same weights as on resident ones."""

import dataclasses
import threading

import pytest
import torch

from tests.helpers.training import CONFIGS, CPU, assignment, train, weights
from trainables.config import TrialConfig
from trainables.data.loading.input_loader import (
    InMemoryLoader,
    StreamingLoader,
)
from trainables.training.loop import TrialRun
from trainables.workers.worker_context import WorkerContext

LITTLE = 1e-6
"""GB: less than any store."""


def prefetchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


@pytest.mark.parametrize("name", ["plain", "everything", "frozen backbone"])
def test_streaming_trains_to_the_same_weights(digits_store, tmp_path, name):
    ends = []
    for kind, memory_gb in ((InMemoryLoader, 1.0), (StreamingLoader, LITTLE)):
        place = WorkerContext.open(CPU, digits_store, memory_gb)
        run = TrialRun(assignment(tmp_path / kind.__name__, CONFIGS[name], max_epochs=2), place)
        assert isinstance(run.data, kind), "features are placed as images are"
        reports = train(run)
        ends.append((weights(run), [(r.score, r.val_loss, r.train_loss) for r in reports]))
    assert ends[0][1] == ends[1][1]
    learnt = ends[0][0].keys() & ends[1][0].keys()  # known features need no backbone
    assert "network.head.1.weight" in learnt
    for key in learnt:
        assert torch.equal(ends[0][0][key], ends[1][0][key]), key
    assert prefetchers() == []


@pytest.mark.gpu
def test_streaming_to_a_gpu_trains_to_the_same_weights(digits_store, tmp_path):
    group = dataclasses.replace(CPU, device=torch.device("cuda", 0))
    config = TrialConfig(width=8, depth=2, lr=1e-2, batch_size=64, mixup=0.2)
    torch.use_deterministic_algorithms(True)
    try:
        ends = []
        for memory_gb in (1.0, LITTLE):
            place = WorkerContext.open(group, digits_store, memory_gb)
            run = TrialRun(assignment(tmp_path / str(memory_gb), config, max_epochs=2), place)
            train(run)
            ends.append(weights(run))
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(tensor, ends[1][key]) for key, tensor in ends[0].items())
