"""What `bench_streaming.py` measures, each in a process of its own that prints one line of JSON.

python tests/benchmarks/streaming_child.py build FOLDER
python tests/benchmarks/streaming_child.py train FOLDER MEMORY_GB EPOCHS THREADS
"""

import json
import sys
import tempfile
import time
from typing import Any

CONFIG = {"model": "convnet", "width": 16, "depth": 4, "lr": 3e-3, "batch_size": 256, "mixup": 0.2, "flip": "random"}
"""Small, so that feeding it is not lost beside training it; MixUp, so that partners are fed too."""


def build(origin: str) -> dict[str, Any]:
    """Seconds to build, or finish, the store."""
    from trainables.data.store.store import prepare_data

    started = time.perf_counter()
    data = prepare_data(origin)
    images = data.train + data.val + data.test
    return {"seconds": time.perf_counter() - started, "images": images, "fingerprint": data.fingerprint}


def train(origin: str, memory_gb: float, epochs: int, threads: int) -> dict[str, Any]:
    """Images/s of training alone, by epoch, within a budget; the first epoch begins with a cold page cache."""
    import torch

    from trainables.config import Assignment, TrialConfig
    from trainables.data.store.store import open_store, prepare_data
    from trainables.training.device import set_threads
    from trainables.training.loop import TrialRun
    from trainables.workers.worker_context import ProcessGroup, WorkerContext

    set_threads(threads)
    device = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    store = open_store(prepare_data(origin))
    started = time.perf_counter()
    place = WorkerContext.open(ProcessGroup(0, 1, device), store, memory_gb)
    opened = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as folder:
        config = TrialConfig.model_validate(CONFIG)
        task = Assignment(trial="t", kind="search", config=config, seed=0, max_epochs=epochs, folder=folder)
        run = TrialRun(task, place)
        reports = [run.train_epoch() for _ in range(epochs)]
    speeds = [report.images_per_second for report in reports]
    return {
        "way": type(place.images).__name__.lower(),
        "device": str(device),
        "open_seconds": opened,
        "images_per_second": epochs / sum(1 / speed for speed in speeds),
        "first_epoch_images_per_second": speeds[0],
        "end": [reports[-1].train_loss, reports[-1].val_loss, reports[-1].score],
    }


if __name__ == "__main__":
    if sys.argv[1] == "build":
        print(json.dumps(build(sys.argv[2])))
    else:
        print(json.dumps(train(sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))))
