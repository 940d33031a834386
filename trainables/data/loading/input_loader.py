"""Inputs (uint8 images, or frozen features) as training reaches them, and those that lie in memory."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.data.store.ahead import Item

Rows = NDArray[np.int64]
"""Rows of the store, in the order wanted; a row may occur twice."""


@dataclass(frozen=True)
class Residence(ABC):
    """Inputs and labels of the rows that a trial may see, wherever they lie."""

    labels: Tensor
    """int64, on the device."""

    def labels_of(self, rows: Rows) -> Tensor:
        """Labels of `rows`, on the device."""
        return self.labels[torch.from_numpy(rows).to(self.labels.device, non_blocking=True)]

    @property
    @abstractmethod
    def held(self) -> int:
        """Bytes of memory that the inputs take."""

    @abstractmethod
    def take(self, rows: Rows) -> Tensor:
        """Inputs of `rows`, on the device."""

    @abstractmethod
    def feed(self, wanted: Iterable[tuple[Item, Rows]]) -> Generator[tuple[Item, Tensor], None, None]:
        """Each item with the inputs of its rows on the device, in order; close it to leave before the end."""


@dataclass(frozen=True)
class Resident(Residence):
    """Inputs in the device's memory; a CPU's is the host's."""

    inputs: Tensor
    """First dimension: rows of the store."""

    @property
    def held(self) -> int:
        """Bytes of memory that the inputs take."""
        return self.inputs.nbytes

    def take(self, rows: Rows) -> Tensor:
        """Inputs of `rows`, on the device."""
        return self.inputs.index_select(0, torch.from_numpy(rows).to(self.inputs.device, non_blocking=True))

    def feed(self, wanted: Iterable[tuple[Item, Rows]]) -> Generator[tuple[Item, Tensor], None, None]:
        """Each item with the inputs of its rows, in order."""
        for item, rows in wanted:
            yield item, self.take(rows)
