"""The state that a worker keeps between trials: its process group, its images, and its callbacks."""

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
from trainables.data.loading.square_views import SquareInputs
from trainables.data.store.store import Store
from trainables.export.model_info import InputSpec
from trainables.models.layers import share_statistics


@dataclass(frozen=True)
class ProcessGroup:
    """The workers of one gang, as one of them sees it; with one worker, every operation is the identity."""

    rank: int
    """Number of this worker, from 0 to world_size - 1; rank 0 reports for the gang."""
    world_size: int
    """Number of workers."""
    device: torch.device
    """Device of this worker."""

    @property
    def shard(self) -> tuple[int, int]:
        """Rank and world size: this worker trains on every `world_size`-th row, from `rank` on."""
        return self.rank, self.world_size

    def sum(self, values: Tensor) -> Tensor:
        """Sum over the workers, in place; raises `LostPeerError`."""
        if self.world_size > 1:
            with _collective():
                dist.all_reduce(values)
        return values

    def broadcast_flag(self, flag: bool) -> bool:
        """The flag of rank 0, on every worker; raises `LostPeerError`."""
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
    """What trials of a worker have in common."""

    group: ProcessGroup
    store: Store
    images: InputLoader | None
    """Images of one shape; None for images that become squares."""
    squares: SquareInputs
    """The squares of others, by fit."""
    budget: int
    """Bytes that images and frozen features may take."""
    on_step: Callable[[], None] = lambda: None
    """Called at each step; a worker without a step for long counts as hung."""
    upload: Callable[[], None] = lambda: None
    """Uploads the trial's files, where its folder is on this node only; raises OSError."""

    @classmethod
    def open(cls, group: ProcessGroup, store: Store, memory_gb: float = 0.0) -> "WorkerContext":
        """Load the store's images to the group's device if `memory_gb` (0: a share of the free memory) suffices."""
        budget = memory_budget(group.device, memory_gb)
        squares = SquareInputs(store, group.device, budget)
        plain = None
        if not store.summary.fit_matters:
            plain = make_loader(store.images, store.labels, group.device, budget)
        return cls(group, store, plain, squares, budget)

    def images_for(self, spec: InputSpec) -> InputLoader:
        """Images of train and val for a network with this input; raises ValueError for one of another kind of data."""
        return self.squares.of(spec.square_fit) if spec.square_fit else self.images_of_one_shape

    @property
    def images_of_one_shape(self) -> InputLoader:
        """Images of train and val, if all have one shape; raises ValueError if they become squares."""
        if self.images is None:
            raise ValueError("the network takes images of one shape, and these have several")
        return self.images

    @property
    def feature_bytes(self) -> int:
        """Bytes that frozen features may take beside the images."""
        return self.budget - self.squares.memory_bytes - (self.images.memory_bytes if self.images else 0)
