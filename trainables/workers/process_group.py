"""The workers of one gang as one: every operation is the identity when there is but one worker."""

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

from trainables.models.layers import share_statistics


@dataclass(frozen=True)
class Group:
    """This worker's place in its gang."""

    rank: int
    """From 0 to world - 1; rank 0 speaks for the gang."""
    world: int
    """Workers in the gang."""
    device: torch.device
    """Where this worker trains."""

    @property
    def shard(self) -> tuple[int, int]:
        """Which rows are this worker's: every `world`-th, from `rank` on."""
        return self.rank, self.world

    def sum(self, values: Tensor) -> Tensor:
        """Sum over the workers."""
        if self.world > 1:
            dist.all_reduce(values)
        return values

    def from_first(self, flag: bool) -> bool:
        """Rank 0's flag, on every worker."""
        if self.world == 1:
            return flag
        value = torch.tensor(int(flag), device=self.device)
        dist.broadcast(value, src=0)
        return bool(value.item())

    def wrap(self, module: nn.Module) -> nn.Module:
        """Module whose gradients are averaged over the workers, and whose batch norms see the whole batch."""
        if self.world == 1:
            return module
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(share_statistics(module, self.device), device_ids=ids)

    def local_gradients(self, module: nn.Module) -> Any:
        """Context in which backward passes only add up this worker's gradients."""
        return module.no_sync() if isinstance(module, DistributedDataParallel) else nullcontext()
