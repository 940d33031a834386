"""Images where training can reach them: on the device when they fit, else gathered from the memory-mapped store."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SHARE = 0.3
"""Of a GPU's free memory that images may take."""


@dataclass(frozen=True)
class Resident:
    """Inputs (uint8 images, or features) and labels of the rows that a trial may see."""

    inputs: Tensor
    """First dimension: rows of the store. On the device, or memory-mapped on the host."""
    labels: Tensor
    """int64, on the device."""

    def take(self, rows: NDArray[np.int64]) -> Tensor:
        """Inputs of `rows`, on the device."""
        index = torch.from_numpy(rows).to(self.inputs.device, non_blocking=True)
        return self.inputs.index_select(0, index).to(self.labels.device, non_blocking=True)

    def labels_of(self, rows: NDArray[np.int64]) -> Tensor:
        """Labels of `rows`, on the device."""
        return self.labels[torch.from_numpy(rows).to(self.labels.device, non_blocking=True)]


def resident(inputs: NDArray[Any], labels: NDArray[np.int64], device: torch.device) -> Resident:
    """Put inputs and labels where `device` reads them fastest."""
    tensor = torch.from_numpy(inputs)
    if device.type == "cuda" and tensor.nbytes <= SHARE * torch.cuda.mem_get_info(device)[0]:
        tensor = tensor.to(device)
    return Resident(inputs=tensor, labels=torch.from_numpy(labels).to(device))
