"""Whole trainings with either balance of classes."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from trainables.config import Assignment, TrialConfig
from trainables.data.store.store import open_store, prepare_data
from trainables.training.device import set_precision
from trainables.training.loop import TrialRun
from trainables.workers.worker_context import ProcessGroup, WorkerContext


@pytest.fixture(scope="module")
def uneven(cache, tmp_path_factory):
    """Two shades that overlap, one of them with ten times the images to learn from."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEARCHSPACE_CACHE", str(cache))
        root = tmp_path_factory.mktemp("uneven")
        rng = np.random.default_rng(0)
        from PIL import Image

        for part, name, count, level in (
            ("train", "dark", 500, 110), ("train", "light", 50, 142),
            ("val", "dark", 150, 110), ("val", "light", 100, 142),
            ("test", "dark", 10, 110), ("test", "light", 10, 142),
        ):  # fmt: skip
            folder = root / "set" / part / name
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = np.clip(rng.normal(level + rng.normal(0, 12), 20, (8, 8, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")
        return prepare_data(str(root / "set"))


def place_of(data) -> WorkerContext:
    return WorkerContext.open(ProcessGroup(0, 1, torch.device("cpu")), open_store(data))


@pytest.fixture
def _alike() -> Iterator[None]:
    """One thread, for what is so small; and one precision, for what is compared."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    set_precision("fp32")
    yield
    set_precision("auto")
    torch.set_num_threads(threads)


def train(place, folder, config, metric="balanced_accuracy", balance="none", max_epochs=6):
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


@pytest.mark.usefixtures("_alike")
@pytest.mark.parametrize("name", NETWORKS)
def test_either_balance_finds_more_of_the_rare_class(uneven, tmp_path, name):
    place = place_of(uneven)
    last = {
        balance: train(place, tmp_path, NETWORKS[name], balance=balance)[-1] for balance in ("none", "loss", "sampling")
    }
    assert last["none"].accuracy > last["none"].score, "in doubt, it is the large class"
    assert last["loss"].score > last["none"].score
    assert last["sampling"].score > last["none"].score
