"""Loaders that make the squares of stored images while training runs: of whole images, or of random parts of them.

Threads make the batches ahead; they hold `PREFETCHED_BATCHES` and one each.
"""

from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.common.background import Item, run_ahead
from trainables.data.loading.input_loader import PREFETCHED_BATCHES, InputLoader, Rows
from trainables.data.loading.square_maker import SquareMaker, images_as_seen

Draws = NDArray[np.float32]
"""Four uniform numbers in [0, 1) of each row, as `SquareFit.locate_part` takes them."""


@dataclass(frozen=True)
class SquareLoader(InputLoader):
    """Squares of whole images, made batch by batch, for data whose squares do not fit on the disk."""

    maker: SquareMaker
    """Makes the squares."""

    @property
    def memory_bytes(self) -> int:
        """None: images are mapped, and squares are made as they are wanted."""
        return 0

    def load(self, rows: Rows) -> Tensor:
        """Squares of `rows`, on the device; blocks until they are made."""
        (made,) = images_as_seen(self.maker.images, rows, [self.maker.fit])
        return torch.from_numpy(made).to(self.labels.device)

    def load_ahead(self, wanted: Iterable[tuple[Item, Rows]]) -> Generator[tuple[Item, Tensor], None, None]:
        """Yield each item with the squares of its rows on the device, in order."""
        return make_ahead(self.maker, self.labels.device, ((item, rows, None) for item, rows in wanted))


def make_ahead(
    maker: SquareMaker, device: torch.device, wanted: Iterable[tuple[Item, Rows, Draws | None]]
) -> Generator[tuple[Item, Tensor], None, None]:
    """Yield each item with the squares of its rows on the device, in order: of parts by draws, or of whole images.

    Each of several threads makes a batch; they end with the generator, and their exceptions are raised here.
    """
    count = max(1, torch.get_num_threads())
    threads = ThreadPoolExecutor(count, thread_name_prefix="squares")
    try:
        jobs = ((item, threads.submit(maker.make, rows, draws)) for item, rows, draws in wanted)
        for item, made in run_ahead(jobs, PREFETCHED_BATCHES + count):
            yield item, torch.from_numpy(made).to(device)
    finally:
        threads.shutdown(cancel_futures=True)
