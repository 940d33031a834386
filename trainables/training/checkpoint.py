"""Checkpoints of a trial: safetensors and JSON with a hash, replaced by renaming; no pickle is read."""

import hashlib
import json
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load
from torch import Tensor

from trainables.common.errors import UserError
from trainables.config import EpochReport
from trainables.export.safetensors_file import serialize
from trainables.storage.files import read_file, write_file
from trainables.storage.folders import list_folder, remove_file, remove_tree

SAVE_TIMEOUT_S = 60.0
"""Seconds that a trial waits for its checkpoint at a rung, from which another gang may resume it."""
MAX_CHECKPOINT_BYTES = 1 << 35
"""Bytes of the largest checkpoint that is read."""
RETRY_S = 1.0
"""Seconds between two tries to write a checkpoint at a rung."""
INDEX = "checkpoint.json"
"""The file with the newest checkpoint's file name, hash, and all that is no tensor; it is replaced last."""


@dataclass(frozen=True)
class Checkpoint:
    """State of a trial between two epochs."""

    epoch: int
    """Epochs trained."""
    micro_batch: int
    """Images a forward pass, after out-of-memory halvings."""
    seconds: float
    """Seconds of all epochs so far."""
    reports: tuple[EpochReport, ...]
    """Reports of all epochs so far; those that the study does not have are reported again after a resume."""
    tensors: dict[str, Tensor]
    """Weights, averages, optimizer state, generator state, by dotted name."""
    of: str = ""
    """Digest of what is trained; empty in checkpoints that older versions wrote."""


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write the newest checkpoint of `folder`; a crash at any moment leaves the one before it readable."""
    content = serialize(checkpoint.tensors)
    file = f"epoch-{checkpoint.epoch:05d}.safetensors"
    write_file(folder / file, content)
    facts = {name: getattr(checkpoint, name) for name in ("epoch", "micro_batch", "seconds", "of")}
    reports = [report.model_dump() for report in checkpoint.reports]
    index = {"file": file, **facts, "reports": reports, "blake2b": _hash(content)}
    write_file(folder / INDEX, json.dumps(index).encode())
    for old in list_folder(folder):
        if old != file and old.startswith("epoch-") and old.endswith(".safetensors"):
            remove_file(folder / old)


class CheckpointWriter:
    """Writes the checkpoints of one trial in a thread: training continues while the disk is busy, full, or gone."""

    def __init__(self, folder: Path, share: Callable[[], None]) -> None:
        """Write to `folder`, and call `share` after each checkpoint, which uploads it or raises OSError."""
        self._folder, self._share = folder, share
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._writing: Future[None] | None = None
        self.trouble = ""

    def write(self, checkpoint: Checkpoint) -> None:
        """Begin to write a copy of `checkpoint`, unless the one before is still being written."""
        if self.close(patience=0.0):
            copies = {name: tensor.detach().to("cpu", copy=True) for name, tensor in checkpoint.tensors.items()}
            kept = replace(checkpoint, tensors=copies)
            self._writing = self._thread.submit(self._write, kept)

    def _write(self, checkpoint: Checkpoint) -> None:
        write_checkpoint(self._folder, checkpoint)
        self._share()

    def close(self, patience: float = SAVE_TIMEOUT_S) -> bool:
        """Wait until nothing is being written, `patience` seconds at most; False if that was too short.

        What stood in the way of the last write is in `trouble`; the checkpoint before it is still there.
        """
        if self._writing is not None:
            try:
                self._writing.result(patience)
                self.trouble = ""
            except TimeoutError:
                self.trouble = f"its disk has not answered for {patience:.0f} s" if patience else self.trouble
                return False
            except Exception as error:  # of any kind: training continues without this checkpoint
                self.trouble = f"{type(error).__name__}: {error}"
            self._writing = None
        return True

    def keep(self, checkpoint: Checkpoint) -> None:
        """Write `checkpoint` and wait for it; retries for `SAVE_TIMEOUT_S`, in which a full disk may be freed."""
        deadline = time.monotonic() + SAVE_TIMEOUT_S
        while self.close(deadline - time.monotonic()) and time.monotonic() < deadline:
            self.write(checkpoint)
            if self.close(max(0.0, deadline - time.monotonic())) and not self.trouble:
                return
            time.sleep(RETRY_S)


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest checkpoint of `folder`; None if there is none, or its hash is wrong."""
    try:
        index = json.loads(read_file(folder / INDEX))
        content = read_file(
            folder / Path(index["file"]).name, MAX_CHECKPOINT_BYTES
        )  # always in this folder: a path in the index is ignored
        reports = tuple(EpochReport.model_validate(report) for report in index["reports"])
        facts = {name: index[name] for name in ("epoch", "micro_batch", "seconds")} | {"of": index.get("of", "")}
        good = _hash(content) == index["blake2b"]
    except (OSError, UserError, ValueError, KeyError, TypeError):  # torn, emptied, or not ours
        return None
    return Checkpoint(**facts, reports=reports, tensors=load(content)) if good else None


def remove_checkpoints(folder: Path) -> None:
    """Delete a trial's checkpoints."""
    remove_tree(folder)


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
    """Restore the state that `optimizer_tensors` returned."""
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


def with_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors whose names begin with `prefix`, named without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
