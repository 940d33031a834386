"""Trainings of small networks in this process."""

import subprocess
import sys
from pathlib import Path

import torch

from trainables.config import Assignment, TrialConfig
from trainables.training.loop import TrialRun
from trainables.training.trial_outputs import write_weights
from trainables.workers.worker_context import ProcessGroup, WorkerContext

CPU = ProcessGroup(0, 1, torch.device("cpu"))
CONVNET = TrialConfig(width=8, depth=2, lr=1e-2, batch_size=64)


def assignment(folder: Path, config: TrialConfig = CONVNET, **changes) -> Assignment:
    values = {"trial": "t", "kind": "search", "seed": 7, "max_epochs": 3, "folder": str(folder)} | changes
    return Assignment(config=config, **values)


def train(run: TrialRun):
    reports = []
    while not run.done:
        reports.append(run.train_epoch())
    return reports


def weights(run: TrialRun) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in run.averaged_state().items()}


CONFIGS = {
    "plain": CONVNET,
    "everything": CONVNET.model_copy(
        update={"augment_strength": 0.2, "mixup": 0.2, "cutmix": 1.0, "dropout": 0.1,
                "label_smoothing": 0.1, "grad_clip": 1.0, "optimizer": "sgd", "lr": 0.1}
    ),
    "speed run": CONVNET.model_copy(
        update={"optimizer": "muon", "momentum": 0.6, "flip": "alternating", "tta": True,
                "dropout": 0.1, "weight_decay": 1e-2}
    ),
    "resnet": TrialConfig(model="resnet", width=8, depth=1, lr=1e-2),
    "frozen backbone": TrialConfig(model="tf_efficientnet_lite0", freeze="all", head_lr=1e-2),
}  # fmt: skip


def write_teacher(folder: Path, place: WorkerContext, **changes) -> Path:
    """A convnet without batch norm, which answers alike in training and in evaluation, after three epochs."""
    config = CONVNET.model_copy(update={"batch_norm": False, **changes})
    task = assignment(folder, config, kind="final")
    run = TrialRun(task, place)
    train(run)
    write_weights(folder, task, run)
    return folder


TWO_WORKERS = """
import os, sys, torch
from torch import distributed as dist
import trainables.training.device
trainables.training.device.uses_bf16 = lambda _device: False
from trainables.config import Assignment
from trainables.data.store.store import open_store, prepare_data
from trainables.training.device import set_precision
from trainables.workers.worker_context import ProcessGroup
from trainables.training.loop import TrialRun
from trainables.workers.worker_context import WorkerContext

rank, world, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
torch.set_num_threads(1)
set_precision("fp32")
if world > 1:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world)
place = WorkerContext.open(ProcessGroup(rank, world, torch.device("cpu")), open_store(prepare_data("digits")))
run = TrialRun(Assignment.model_validate_json(sys.argv[4]), place)
while not run.done:
    report = run.train_epoch()
    if rank == 0:
        print(report.model_dump_json())
if rank == 0:
    torch.save(run.averaged_state(), f"{folder}/weights.pt")
if world > 1:
    dist.destroy_process_group()
sys.stdout.flush()
os._exit(0)  # a thread of torch's that wants an interpreter which is being taken down aborts the process
"""


def train_with(world: int, config: TrialConfig, folder: Path, epochs: int = 2, **changes):
    folder.mkdir()
    task = assignment(folder, config, max_epochs=epochs, **changes).model_dump_json()
    command = [sys.executable, "-c", TWO_WORKERS]
    workers = [
        subprocess.Popen([*command, str(rank), str(world), str(folder), task], stdout=subprocess.PIPE, text=True)
        for rank in range(world)
    ]
    out = [worker.communicate(timeout=200)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * world
    from trainables.config import EpochReport

    return [EpochReport.model_validate_json(line) for line in out[0].splitlines()], torch.load(folder / "weights.pt")
