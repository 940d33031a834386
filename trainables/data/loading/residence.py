"""Where inputs go: into memory if the budget holds them, else they stay in their file and are streamed."""

import os
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trainables.data.loading.input_loader import Residence, Resident
from trainables.data.loading.streamed import Streamed
from trainables.training.device import free_memory

SHARE = 0.3
"""Of the free memory that inputs may take when no budget is given; on a CPU the workers of a node divide it."""


def memory_budget(device: torch.device, memory_gb: float) -> int:
    """Bytes that a worker's inputs may take: as given in GB, or a share of what is free on `device` for 0."""
    if memory_gb:
        return int(memory_gb * 1e9)
    # By now a GPU's free memory is less what its other workers took; host memory goes by a worker's share of cores.
    part = 1.0 if device.type == "cuda" else min(1.0, torch.get_num_threads() / (os.cpu_count() or 1))
    return int(SHARE * part * free_memory(device))


def settle(inputs: np.memmap[Any, Any], labels: NDArray[np.int64], device: torch.device, budget: int) -> Residence:
    """Inputs (first dimension: rows of the store) and labels where `device` reaches them within `budget` bytes."""
    on_device = torch.from_numpy(labels).to(device)
    if inputs.nbytes > budget:
        return Streamed(labels=on_device, inputs=inputs)
    if device.type == "cuda":
        return Resident(labels=on_device, inputs=torch.from_numpy(inputs).to(device))
    return Resident(labels=on_device, inputs=torch.from_numpy(np.array(inputs)))
