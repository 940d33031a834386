"""Plans the batches of an epoch: their images, and all random numbers of their augmentation.

The plan covers the whole gang and depends on seed and epoch only, so that W workers, each with every W-th row of each
batch, see together exactly what one worker would see.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from trainables.augmentation.augmentation_registry import DRAW_COLUMNS, FIRST_DRAWS, OWN_DRAWS
from trainables.config import TrialConfig


@dataclass(frozen=True)
class PlannedBatch:
    """One worker's share of one batch."""

    rows: NDArray[np.int64]
    """Images of this share, positions within the epoch's images."""
    partners: NDArray[np.int64]
    """The image that each row is mixed with."""
    draws: NDArray[np.float32]
    """Uniform numbers in [0, 1), shape (rows, columns); `DRAW_COLUMNS` names the columns."""
    partner_draws: NDArray[np.float32]
    """Those of the partners, which are shown as in their own rows."""
    total: int
    """Images of the whole batch, over all workers."""
    mixup: float
    """Share of a row's own image under MixUp; 1 mixes nothing."""
    cutmix: tuple[float, float, float, float]
    """Box that the partner fills under CutMix: top, left, bottom, right from 0 to 1; empty mixes nothing."""

    @property
    def needed_rows(self) -> NDArray[np.int64]:
        """The images that this share needs: its rows, then, if they are mixed, their partners."""
        return np.concatenate([self.rows, self.partners]) if self.is_mixed else self.rows

    @property
    def needed_draws(self) -> NDArray[np.float32]:
        """The draws of the images that this share needs."""
        return np.concatenate([self.draws, self.partner_draws]) if self.is_mixed else self.draws

    @property
    def is_mixed(self) -> bool:
        """Whether images are mixed with partners."""
        return self.mixup < 1.0 or self.cutmix[2] > self.cutmix[0]


@dataclass(frozen=True)
class Mixing:
    """Options of a configuration that change the plan."""

    mixup: float = 0.0
    """Beta parameter of MixUp; 0 is off."""
    cutmix: float = 0.0
    """Beta parameter of CutMix; 0 is off."""
    alternate: bool = False
    """Whether an image is mirrored in every other epoch (arXiv:2404.00498, section 3.6) instead of by a coin."""
    balanced: NDArray[np.int64] | None = None
    """Class of each image, if each class is to be drawn equally often; None draws every image once."""

    @classmethod
    def from_config(cls, config: TrialConfig, labels: NDArray[np.int64]) -> "Mixing":
        """The options of `config` for images of these classes."""
        balanced = labels if config.balance == "sampling" else None
        return cls(config.mixup, config.cutmix, config.flip == "alternating", balanced)


def batch_count(count: int, batch_size: int) -> int:
    """Batches in an epoch; their sizes differ by one image at most, so that none is small.

    No batch has a single image, which batch norm cannot use: one may have an image more than `batch_size`.
    """
    return max(1, min(-(-count // batch_size), count // 2))


def smallest_batch(count: int, batch_size: int) -> int:
    """Images in the smallest batch of an epoch of `count` images."""
    return count // batch_count(count, batch_size)


def check_shares(count: int, batch_size: int, world: int) -> None:
    """Raise `ValueError` if a batch of an epoch of `count` images has too few images for `world` workers."""
    smallest = smallest_batch(count, batch_size)
    if smallest < world:
        raise ValueError(
            f"{world} workers with batch_size {batch_size}: of {count} training images, the smallest batch has "
            f"{smallest}, too few for one a worker"
        )


def slice_share(share: int, total: int, world: int, most: int) -> list[slice]:
    """Cut a worker's `share` of a batch of `total` images into slices of about `most` images; 0 cuts nothing.

    All `world` workers get the same number of slices, as batch norm synchronises them, and none is empty: if shares
    differ, a slice may have one image more than `most`.
    """
    parts = min(-(-total // (world * most)), total // world) if most else 1
    ends = [share * part // parts for part in range(parts + 1)]
    return [slice(start, end) for start, end in pairwise(ends)]


def epoch_plan(
    count: int, batch_size: int, seed: int, epoch: int, mixing: Mixing, shard: tuple[int, int] = (0, 1)
) -> Iterator[PlannedBatch]:
    """Batches of one epoch of `count` images, as worker `shard[0]` of `shard[1]` sees them."""
    rng = np.random.default_rng([seed, epoch])
    drawn = np.arange(count) if mixing.balanced is None else draw_balanced(mixing.balanced, rng)
    order = rng.permutation(drawn)
    draws = draw_uniform(count, seed, epoch, rng)
    if mixing.alternate:
        draws[:, DRAW_COLUMNS["mirror"]] = _alternating(count, seed, epoch)[order]
    rank, world = shard
    for positions in np.array_split(np.arange(count), batch_count(count, batch_size)):
        batch = order[positions]
        mixup, cutmix = _mixture(rng, mixing)
        yield PlannedBatch(
            rows=batch[rank::world],
            partners=np.roll(batch, 1)[rank::world],
            draws=draws[positions][rank::world],
            partner_draws=np.roll(draws[positions], 1, axis=0)[rank::world],
            total=len(batch),
            mixup=mixup,
            cutmix=cutmix,
        )


def draw_uniform(count: int, seed: int, epoch: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Uniform numbers in [0, 1) for each image, shape (count, columns); `rng` gives the first ones of an epoch.

    Each augmentation with draws of its own has a stream of its own, so that no other's draws depend on it.
    """
    first = rng.random((count, len(FIRST_DRAWS)), dtype=np.float32)
    streams = {name: np.random.default_rng([seed, epoch, crc32(name.encode())]) for name in OWN_DRAWS}
    own = [streams[name].random((count, len(draws)), dtype=np.float32) for name, draws in OWN_DRAWS.items()]
    return np.concatenate([first, *own], axis=1)


def draw_balanced(labels: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw as many images as there are labels, equally many of each class, give or take one.

    Images of a class are drawn equally often, give or take once: of a large class a random part, another in each call;
    of a small class all, several times.
    """
    classes, counts = np.unique(labels, return_counts=True)
    members = np.split(np.argsort(labels, kind="stable"), np.cumsum(counts)[:-1])
    wanted = np.full(len(classes), len(labels) // len(classes))
    wanted[rng.permutation(len(classes))[: len(labels) % len(classes)]] += 1
    return np.concatenate([np.resize(rng.permutation(own), n) for own, n in zip(members, wanted, strict=True)])


def _alternating(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """For each image 0 in every other epoch and 1 in between; a random bit of image and seed chooses which is first."""
    coins = np.random.default_rng([seed, 0, 1]).integers(2, size=count)  # differs from every [seed, epoch]
    return (coins + epoch) % 2


def _mixture(rng: np.random.Generator, mixing: Mixing) -> tuple[float, tuple[float, float, float, float]]:
    """Draw MixUp's share or CutMix's box for one batch; always draws four numbers, also if both are off."""
    coin, x, y = rng.random(3)
    both = mixing.mixup > 0 and mixing.cutmix > 0
    use_mixup = mixing.mixup > 0 and (not both or coin < 0.5)
    use_cutmix = mixing.cutmix > 0 and not use_mixup
    share = rng.beta(mixing.mixup, mixing.mixup) if use_mixup else 1.0
    if not use_cutmix:
        return share, (0.0, 0.0, 0.0, 0.0)
    half = np.sqrt(1 - rng.beta(mixing.cutmix, mixing.cutmix)) / 2
    box = np.clip([y - half, x - half, y + half, x + half], 0.0, 1.0)
    return 1.0, (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
