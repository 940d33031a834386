"""Loads inputs (uint8 images, or frozen features) for training, from memory or from a memory-mapped file."""

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.common.background import Item, run_ahead
from trainables.training.device import free_memory

Rows = NDArray[np.int64]
"""Rows of the store, in the requested order; a row may occur twice."""


@dataclass(frozen=True)
class InputLoader(ABC):
    """Inputs and labels of the rows that a trial may see."""

    labels: Tensor
    """Labels, int64, on the device."""

    def load_labels(self, rows: Rows) -> Tensor:
        """Labels of `rows`, on the device."""
        return self.labels[torch.from_numpy(rows).to(self.labels.device, non_blocking=True)]

    @property
    @abstractmethod
    def memory_bytes(self) -> int:
        """Bytes of memory that the inputs take."""

    @abstractmethod
    def load(self, rows: Rows) -> Tensor:
        """Inputs of `rows`, on the device."""

    @abstractmethod
    def load_ahead(self, wanted: Iterable[tuple[Item, Rows]]) -> Generator[tuple[Item, Tensor], None, None]:
        """Yield each item with the inputs of its rows on the device, in order; close the generator to stop early."""


@dataclass(frozen=True)
class InMemoryLoader(InputLoader):
    """Inputs in the memory of the device."""

    inputs: Tensor
    """All inputs; the first dimension is the rows of the store."""

    @property
    def memory_bytes(self) -> int:
        """Bytes of memory that the inputs take."""
        return self.inputs.nbytes

    def load(self, rows: Rows) -> Tensor:
        """Inputs of `rows`, on the device."""
        return self.inputs.index_select(0, torch.from_numpy(rows).to(self.inputs.device, non_blocking=True))

    def load_ahead(self, wanted: Iterable[tuple[Item, Rows]]) -> Generator[tuple[Item, Tensor], None, None]:
        """Yield each item with the inputs of its rows, in order."""
        for item, rows in wanted:
            yield item, self.load(rows)


MEMORY_SHARE = 0.3
"""Share of the free memory for inputs if no budget is given; on a CPU, the workers of a node divide it."""


def memory_budget(device: torch.device, memory_gb: float) -> int:
    """Memory budget of a worker's inputs, in bytes: `memory_gb`, or a share of the free memory of `device` for 0."""
    if memory_gb:
        return int(memory_gb * 1e9)
    # a GPU's free memory excludes that of its other workers; host memory is divided by the workers' share of cores
    part = 1.0 if device.type == "cuda" else min(1.0, torch.get_num_threads() / (os.cpu_count() or 1))
    return int(MEMORY_SHARE * part * free_memory(device))


def make_loader(
    inputs: np.memmap[Any, Any], labels: NDArray[np.int64], device: torch.device, budget: int
) -> InputLoader:
    """Load inputs (first dimension: rows of the store) into memory if they fit `budget` bytes, else stream them."""
    on_device = torch.from_numpy(labels).to(device)
    if inputs.nbytes > budget:
        return StreamingLoader(labels=on_device, inputs=inputs)
    if device.type == "cuda":
        return InMemoryLoader(labels=on_device, inputs=torch.from_numpy(inputs).to(device))
    return InMemoryLoader(labels=on_device, inputs=torch.from_numpy(np.array(inputs)))


PREFETCHED_BATCHES = 4
"""Batches that are read ahead; streaming holds these and one buffer."""


@dataclass(frozen=True)
class StreamingLoader(InputLoader):
    """Inputs in a memory-mapped file, gathered batch by batch; equal bit for bit to those of `InMemoryLoader`."""

    inputs: np.memmap[Any, Any]
    """The whole file; the first dimension is the rows of the store."""

    @property
    def memory_bytes(self) -> int:
        """None: the kernel frees mapped pages when memory is short."""
        return 0

    def load(self, rows: Rows) -> Tensor:
        """Inputs of `rows`, on the device; blocks until they are read."""
        return torch.from_numpy(np.asarray(self.inputs).take(rows, axis=0)).to(self.labels.device)

    def load_ahead(self, wanted: Iterable[tuple[Item, Rows]]) -> Generator[tuple[Item, Tensor], None, None]:
        """Yield each item with the inputs of its rows on the device, in order.

        The thread ends with the generator; its exceptions are raised here.
        """
        with open(str(self.inputs.filename), "rb") as file:
            reader = _Reader(self.inputs, file.fileno(), self.labels.device)
            thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prefetch")
            try:
                jobs = ((item, thread.submit(reader.read, rows)) for item, rows in wanted)
                for item, inputs in run_ahead(jobs, PREFETCHED_BATCHES):
                    if inputs.is_cuda:  # memory of the side stream, not to be reused while training reads it
                        inputs.record_stream(torch.cuda.current_stream(inputs.device))
                    yield item, inputs
            finally:
                thread.shutdown(cancel_futures=True)


class _Reader:
    """Gathers rows in the thread into one reused buffer, pinned for a GPU; returns copies in the order wanted."""

    def __init__(self, inputs: np.memmap[Any, Any], descriptor: int, device: torch.device) -> None:
        self.inputs, self.descriptor, self.device = inputs, descriptor, device
        self.stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch ships no types for it
        self.buffer = torch.from_numpy(inputs[:0].copy())

    def read(self, rows: Rows) -> Tensor:
        """Inputs of `rows`, on the device; raises `IndexError` for rows outside of the file."""
        # Each row is read once (partners of a mixture are rows of the same batch), in the order of the file.
        ascending, places = np.unique(rows, return_inverse=True)
        if len(rows) and not 0 <= ascending[0] <= ascending[-1] < len(self.inputs):
            raise IndexError(f"rows {ascending[0]} to {ascending[-1]} of {len(self.inputs)}")
        self._announce(ascending)
        gathered = self._room(len(rows))[: len(ascending)]
        np.take(self.inputs, ascending, axis=0, out=gathered.numpy(), mode="clip")  # "raise" would copy once more
        if self.stream is None:
            # torch's index_select would start a second team of OpenMP threads in this thread
            return torch.from_numpy(gathered.numpy().take(places, axis=0))
        with torch.cuda.stream(self.stream):
            order = torch.from_numpy(places).to(self.device)
            inputs = gathered.to(self.device, non_blocking=True).index_select(0, order)
        self.stream.synchronize()  # afterwards the buffer can be reused
        return inputs

    def _room(self, count: int) -> Tensor:
        if len(self.buffer) < count:
            shape = (count, *self.inputs.shape[1:])
            self.buffer = torch.empty(shape, dtype=self.buffer.dtype, pin_memory=self.stream is not None)
        return self.buffer

    def _announce(self, rows: Rows) -> None:
        """Ask the kernel to read all rows at once: single page faults on a cold disk are some 10 times slower."""
        if sys.platform == "linux":
            size = self.inputs.strides[0]
            for row in rows.tolist():
                os.posix_fadvise(self.descriptor, self.inputs.offset + row * size, size, os.POSIX_FADV_WILLNEED)
