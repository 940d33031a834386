"""What outlives trials in a worker: its process group, its images, and what trials report to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

from trainables.common.errors import LostPeerError
from trainables.data.loading.input_loader import InputLoader, make_loader, memory_budget
from trainables.data.store.store import Store
from trainables.models.layers import share_statistics


@dataclass(frozen=True)
class ProcessGroup:
    """This worker's place in its gang."""

    rank: int
    """From 0 to world - 1; rank 0 speaks for the gang."""
    world_size: int
    """Workers in the gang."""
    device: torch.device
    """Where this worker trains."""

    @property
    def shard(self) -> tuple[int, int]:
        """Which rows are this worker's: every `world`-th, from `rank` on."""
        return self.rank, self.world_size

    def sum(self, values: Tensor) -> Tensor:
        """Sum over the workers."""
        if self.world_size > 1:
            with _collective():
                dist.all_reduce(values)
        return values

    def broadcast_flag(self, flag: bool) -> bool:
        """Rank 0's flag, on every worker."""
        if self.world_size == 1:
            return flag
        value = torch.tensor(int(flag), device=self.device)
        with _collective():
            dist.broadcast(value, src=0)
        return bool(value.item())

    def wrap(self, module: nn.Module) -> nn.Module:
        """Module whose gradients are averaged over the workers, and whose batch norms see the whole batch."""
        if self.world_size == 1:
            return module
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(share_statistics(module, self.device), device_ids=ids)

    def local_gradients(self, module: nn.Module) -> Any:
        """Context in which backward passes only add up this worker's gradients."""
        return module.no_sync() if isinstance(module, DistributedDataParallel) else nullcontext()


@contextmanager
def _collective() -> Iterator[None]:
    """Raise `LostPeerError` for an error of a collective operation, for which gloo has no type of its own."""
    try:
        yield
    except (torch.AcceleratorError, torch.OutOfMemoryError):  # of this worker's own device
        raise
    except RuntimeError as error:
        raise LostPeerError(str(error)) from error


@dataclass(frozen=True)
class WorkerContext:
    """What outlives the trials in a worker: its place in the gang, and the images where training reaches them."""

    group: ProcessGroup
    store: Store
    images: InputLoader
    feature_bytes: int
    """Bytes that frozen features may take beside the images."""
    on_step: Callable[[], None] = lambda: None
    """Says that training is getting on; what does not say so for long is taken for hung."""
    upload: Callable[[], None] = lambda: None
    """Uploads what was written for the trial, where others cannot see its folder; raises OSError."""

    @classmethod
    def open(cls, group: ProcessGroup, store: Store, memory_gb: float = 0.0) -> "WorkerContext":
        """Bring the store's images to the group's device, if `memory_gb` (0: a share of what is free) holds them."""
        budget = memory_budget(group.device, memory_gb)
        images = make_loader(store.images, store.labels, group.device, budget)
        return cls(group, store, images, budget - images.memory_bytes)
