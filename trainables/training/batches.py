"""Training batches: inputs, augmented and normalised on the device, and the loss, of a planned batch."""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from trainables.augmentation.augment import augment, mix
from trainables.augmentation.augmentation_registry import (
    CROP_DRAWS,
    DRAW_COLUMNS,
    ImageViews,
    image_views,
    pixel_augmentations,
)
from trainables.config import TrialConfig
from trainables.data.loading.epoch_plan import PlannedBatch
from trainables.data.loading.input_loader import InputLoader, Rows
from trainables.data.loading.square_fit import SquareFit
from trainables.data.loading.square_loaders import make_ahead
from trainables.data.loading.square_maker import SquareMaker
from trainables.data.store.store import Store
from trainables.export.model_info import InputSpec
from trainables.models.preprocess import Preprocess, scale
from trainables.training.loss_weights import loss_weights

CROP_COLUMNS = [DRAW_COLUMNS[name] for name in CROP_DRAWS]
"""Columns of a batch's draws that choose the parts of its images."""


@dataclass(frozen=True)
class TrainingBatches:
    """Makes a trial's training inputs and losses from its images or their frozen features."""

    config: TrialConfig
    """The trial's augmentation, mixtures, label smoothing and class weights."""
    data: InputLoader
    """Images or features, and labels."""
    rows: Rows
    """Rows of the store that the trial trains on; a batch's rows are positions within them."""
    preprocess: Preprocess | None
    """The network's preprocessing; None for features, which are taken as they are."""
    image_weights: NDArray[np.float32] | None = None
    """Weight of each row of the store in the loss, at least 0; None: 1 for all."""
    parts: SquareMaker | None = None
    """Makes random parts of images; None where whole images are shown."""
    stored_rows: Callable[[PlannedBatch, Rows], Rows] | None = None
    """Rows of `data` for a batch's rows of the store, where it has several views; None: the same."""

    def load_ahead(self, plan: Iterable[PlannedBatch]) -> Generator[tuple[PlannedBatch, Tensor], None, None]:
        """Yield each batch with the stored inputs that it needs, on the device; close the generator to stop early."""
        wanted = ((batch, self.rows[batch.needed_rows]) for batch in plan)
        if self.stored_rows is not None:
            stored_rows = self.stored_rows
            return self.data.load_ahead((batch, stored_rows(batch, rows)) for batch, rows in wanted)
        if self.parts is None:
            return self.data.load_ahead(wanted)
        parts = ((batch, rows, batch.needed_draws[:, CROP_COLUMNS]) for batch, rows in wanted)
        return make_ahead(self.parts, self.data.labels.device, parts)

    @property
    def views(self) -> int:
        """How many views of each image there are: itself, then its mirror image; 0 where each epoch shows another."""
        return {ImageViews.STORED: 1, ImageViews.MIRRORED: 2, ImageViews.RANDOM: 0}[image_views(self.config)]

    @cached_property
    def augments(self) -> bool:
        """Whether images are changed each by itself."""
        return bool(pixel_augmentations(self.config))

    def inputs(self, batch: PlannedBatch, wanted: Tensor, part: slice) -> tuple[Tensor, float]:
        """Network inputs of a slice of the batch, and the share of their own labels in them.

        `wanted` has the stored inputs of the batch's rows and, where it mixes, of their partners after them.
        """
        own, partners = wanted[: len(batch.rows)][part], wanted[len(batch.rows) :][part]
        if self.preprocess is None:
            return own, 1.0
        share = 1.0
        if not (len(partners) or self.augments):
            return self.preprocess(own), share
        images = scale(own)
        if len(partners):
            images, share = mix(images, scale(partners), batch)
        images = self.preprocess.resize(images)
        draws = torch.from_numpy(batch.draws[part]).to(images.device, non_blocking=True)
        images = augment(images, draws, self.config)
        return self.preprocess.normalise(images).contiguous(memory_format=torch.channels_last), share

    def loss(self, logits: Tensor, batch: PlannedBatch, part: slice, share: float) -> Tensor:
        """Summed cross-entropy of a slice's logits, of which `share` are its own labels and the rest its partners'."""
        own = self._cross_entropy(logits, batch.rows[part])
        if share == 1.0:
            return own
        others = self._cross_entropy(logits, batch.partners[part])
        return torch.lerp(others, own, share)

    def sum_weighted(self, each: Tensor, batch: PlannedBatch, part: slice, share: float) -> Tensor:
        """Sum of a slice's losses, one an image (b,), weighted by the images in each."""
        if self.weights is None:
            return each.sum()
        own = self._weights_of(self.weights, batch.rows[part])
        if share == 1.0:
            return each @ own
        return each @ torch.lerp(self._weights_of(self.weights, batch.partners[part]), own, share)

    @cached_property
    def weights(self) -> Tensor | None:
        """Weight of each image of `rows` in the loss, on the device, by its class and of its own; None: all are 1."""
        labels = self.data.load_labels(self.rows)
        own = None if self.image_weights is None else torch.from_numpy(self.image_weights[self.rows]).to(labels.device)
        return loss_weights(labels, self.config.balance, own)

    def _cross_entropy(self, logits: Tensor, rows: Rows) -> Tensor:
        """Summed cross-entropy of logits for the labels of `rows`, which are positions within the trial's rows."""
        smoothing, labels = self.config.label_smoothing, self.data.load_labels(self.rows[rows])
        if self.weights is None:
            return functional.cross_entropy(logits.float(), labels, reduction="sum", label_smoothing=smoothing)
        # The weight applies to an image's whole loss, smoothing too: in expectation, the same as drawing it as often.
        each = functional.cross_entropy(logits.float(), labels, reduction="none", label_smoothing=smoothing)
        return each @ self._weights_of(self.weights, rows)

    @staticmethod
    def _weights_of(weights: Tensor, rows: Rows) -> Tensor:
        return weights[torch.from_numpy(rows).to(weights.device, non_blocking=True)]


def random_parts(config: TrialConfig, store: Store, spec: InputSpec) -> SquareMaker | None:
    """Makes the random parts of images that `config` trains on, for an input `spec`; None for whole images."""
    if config.crop_scale == 1.0:
        return None
    return SquareMaker(store.stored, spec.square_fit or SquareFit("crop", spec.side), config.crop_scale)
