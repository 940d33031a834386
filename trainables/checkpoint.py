"""Checkpoints of a trial: tensors and JSON, hashed, written beside and renamed; no pickle is ever read."""

import hashlib
import json
import os
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor

THREAD = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
"""Writes this process's checkpoints."""
INDEX = "checkpoint.json"
"""Names the newest good file, its hash and what is not a tensor; replaced last, in one rename."""


@dataclass(frozen=True)
class Checkpoint:
    """Everything a trial needs to go on."""

    epoch: int
    """Epochs trained."""
    micro_batch: int
    """Images a forward pass, after out-of-memory halvings."""
    seconds: float
    """Seconds of all epochs so far."""
    tensors: dict[str, Tensor]
    """Weights, averages, optimizer state, generator state, by dotted name."""


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Make `checkpoint` the newest in `folder`; a crash at any moment leaves the one before it readable."""
    folder.mkdir(parents=True, exist_ok=True)
    content = save({name: tensor.contiguous() for name, tensor in checkpoint.tensors.items()})
    file = f"epoch-{checkpoint.epoch:05d}.safetensors"
    write_atomically(folder / file, content)
    facts = {"epoch": checkpoint.epoch, "micro_batch": checkpoint.micro_batch, "seconds": checkpoint.seconds}
    index = {"file": file, **facts, "blake2b": _hash(content)}
    write_atomically(folder / INDEX, json.dumps(index).encode())
    for old in folder.glob("epoch-*.safetensors"):
        if old.name != file:
            old.unlink(missing_ok=True)


class Writer:
    """Writes one trial's checkpoints in the background: training goes on while the disk is busy."""

    def __init__(self, folder: Path) -> None:
        """Write into `folder`."""
        self._folder = folder
        self._writing: Future[None] | None = None

    def write(self, checkpoint: Checkpoint) -> None:
        """Begin to write a copy of `checkpoint`; raises what stood in the way of the one before."""
        self.close()
        copies = {name: tensor.detach().to("cpu", copy=True) for name, tensor in checkpoint.tensors.items()}
        self._writing = THREAD.submit(write_checkpoint, self._folder, replace(checkpoint, tensors=copies))

    def close(self) -> None:
        """Wait until nothing is being written; raises what stood in its way."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """Newest checkpoint of `folder`, or None if there is none whose hash is right."""
    try:
        index = json.loads((folder / INDEX).read_text())
        content = (folder / Path(index["file"]).name).read_bytes()  # in this folder, whatever the index says
        facts = {name: index[name] for name in ("epoch", "micro_batch", "seconds")}
    except (FileNotFoundError, json.JSONDecodeError, KeyError):
        return None
    if _hash(content) != index["blake2b"]:
        return None
    return Checkpoint(**facts, tensors=load(content))


def remove_checkpoints(folder: Path) -> None:
    """Delete a trial's checkpoints."""
    shutil.rmtree(folder, ignore_errors=True)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """State of `optimizer` as tensors named `optimizer.PARAMETER.NAME`."""
    state = optimizer.state_dict()["state"]
    return {
        f"optimizer.{index}.{name}": torch.as_tensor(value)
        for index, values in state.items()
        for name, value in values.items()
        if value is not None
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` took."""
    params = [param for group in optimizer.param_groups for param in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".")
            param = params[int(index)]
            # Fused kernels walk parameter and state in memory order, so both must be laid out alike (channels_last).
            alike = torch.empty_like(param).copy_(tensor) if tensor.shape == param.shape else tensor
            state.setdefault(int(index), {})[key] = alike
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors whose names begin with `prefix`, named without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def write_atomically(path: Path, content: bytes) -> None:
    """Write beside `path`, flush to disk, rename."""
    beside = path.with_name(path.name + ".partial")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
