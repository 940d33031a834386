"""Views of images whose activations are cached: the image as it is, its mirror image, and some random ones.

Where the lower part of a network is frozen, augmentation before it would need it at every step. Instead it sees some
views of each image once, and every epoch trains on one of them. A random view is the same in every trial of any
seed: all trials share it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.augmentation.augment import augment
from trainables.augmentation.augmentation_registry import DRAW_COLUMNS, active_augmentations
from trainables.config import TrialConfig
from trainables.data.loading.epoch_plan import PlannedBatch, draw_uniform
from trainables.data.loading.square_maker import SquareMaker, in_threads, training_images
from trainables.data.store.store import Store
from trainables.models.model_registry import is_pretrained
from trainables.models.preprocess import Preprocess, scale
from trainables.training.batches import CROP_COLUMNS

PLAIN, MIRRORED, FIRST_RANDOM = 0, 1, 2
"""Numbers of views; those from the last one on are random."""
RANDOM_VIEW = TrialConfig(crop_scale=0.5, augment_strength=0.2, flip="random")
"""How random views are drawn: parts of at least half of the area, slightly turned, shifted and coloured."""
PIECE = 16
"""Images whose random parts one thread makes at a time."""


def views_are_cached(config: TrialConfig) -> bool:
    """Whether the frozen part of the network, if any, sees nothing but views that can be cached."""
    frozen = config.freeze in {"lower", "all"} and is_pretrained(config.model)
    return frozen and not set(active_augmentations(config)) - {"flip", "cached_views"}


def trained_views(config: TrialConfig) -> tuple[int, ...]:
    """Numbers of the views that training shows."""
    mirrored = (MIRRORED,) if config.flip != "none" else ()
    return (PLAIN, *mirrored, *range(FIRST_RANDOM, FIRST_RANDOM + config.cached_views))


def scored_views(config: TrialConfig) -> tuple[int, ...]:
    """Numbers of the views whose logits inference averages."""
    return (PLAIN, MIRRORED) if config.tta else (PLAIN,)


def needed_views(config: TrialConfig) -> tuple[int, ...]:
    """Numbers of all views that a trial needs, in order."""
    return tuple(sorted({*trained_views(config), *scored_views(config)}))


def choose_views(config: TrialConfig, draws: NDArray[np.float32]) -> NDArray[np.int64]:
    """Number of the view that an epoch shows of each image, by its draws (n, columns): each is as likely.

    Without random views, it is the mirror image where the draw of `mirror` says so, which may alternate.
    """
    views = np.array(trained_views(config))
    if config.cached_views:
        return views[(draws[:, DRAW_COLUMNS["view"]] * len(views)).astype(np.int64)]
    mirrored = (draws[:, DRAW_COLUMNS["mirror"]] < 0.5) & (len(views) > 1)
    return np.where(mirrored, MIRRORED, PLAIN)


@dataclass(frozen=True)
class ViewRows:
    """Numbers of cached rows: image `r` of the `i`-th view of a trial has the number `r + i * images`."""

    config: TrialConfig
    """The trial's configuration."""
    images: int
    """Images of train and val."""

    def trained(self, batch: PlannedBatch, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Cached rows of the views that a batch shows of `rows`."""
        views = choose_views(self.config, batch.needed_draws)
        return rows + np.searchsorted(needed_views(self.config), views) * self.images

    def scored(self, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Cached rows of `rows` in each of the views that inference sees."""
        known = needed_views(self.config)
        return [rows + known.index(view) * self.images for view in scored_views(self.config)]


def view_inputs(
    preprocess: Preprocess, store: Store, rows: NDArray[np.int64], view: int, device: torch.device
) -> Tensor:
    """Network inputs (n, channels, side, side) of one view of images at `rows` of train and val."""
    fit = preprocess.spec.square_fit
    if view < FIRST_RANDOM:
        plain: Tensor = preprocess(torch.from_numpy(training_images(store, rows, fit)).to(device))
        return plain.flip(-1) if view == MIRRORED else plain
    draws = _view_draws(len(store.labels), view)[rows]
    if fit is None:
        images = np.asarray(store.images[rows])
    else:
        maker = SquareMaker(store.stored, fit, RANDOM_VIEW.crop_scale)
        pieces = np.array_split(np.arange(len(rows)), -(-len(rows) // PIECE))
        made = in_threads(lambda piece: maker.make(rows[piece], draws[piece][:, CROP_COLUMNS]), pieces)
        images = np.concatenate(list(made))
    resized = preprocess.resize(scale(torch.from_numpy(images).to(device)))
    changed = augment(resized, torch.from_numpy(draws).to(device), RANDOM_VIEW)
    return preprocess.normalise(changed).contiguous(memory_format=torch.channels_last)


def _view_draws(count: int, view: int) -> NDArray[np.float32]:
    """Draws (count, columns) of a random view, by its number and the image's row alone."""
    return draw_uniform(count, view, 0, np.random.default_rng([view, 0]))
