"""Trainings with either balance of classes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from trainables.config import Assignment, EpochReport, TrialConfig
from trainables.data.store.data_summary import DataSummary
from trainables.data.store.store import open_store
from trainables.training.device import set_precision
from trainables.training.loop import TrialRun
from trainables.workers.worker_context import ProcessGroup, WorkerContext


def place_of(data: DataSummary) -> WorkerContext:
    return WorkerContext.open(ProcessGroup(0, 1, torch.device("cpu")), open_store(data))


@pytest.fixture
def one_thread_fp32() -> Iterator[None]:
    """One thread, for what is so small; and one precision, for what is compared."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    set_precision("fp32")
    yield
    set_precision("auto")
    torch.set_num_threads(threads)


def train(
    place: WorkerContext, folder: Path, config: TrialConfig, metric: str = "balanced_accuracy", balance: str = "none",
    max_epochs: int = 6,
) -> list[EpochReport]:  # fmt: skip
    task = Assignment(
        trial="t", kind="search", metric=metric, config=config.model_copy(update={"balance": balance}),
        seed=7, max_epochs=max_epochs, folder=str(folder),
    )  # fmt: skip
    run = TrialRun(task, place)
    return [run.train_epoch() for _ in range(max_epochs)]


NETWORKS = {
    "convnet": TrialConfig(width=8, depth=2, lr=1e-3, batch_size=32, whiten=False),
    "frozen backbone": TrialConfig(model="tf_efficientnet_lite0", freeze="all", head_lr=3e-3, batch_size=32),
}
