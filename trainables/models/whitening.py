"""The whitening first layer: a frozen convolution whose filters decorrelate the training images' patches.

The method is cifar10-airbench's (Keller Jordan, arXiv:2404.00498, section 3.2), after tysam-code's hlb-CIFAR10.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from trainables.config import Fold
from trainables.data.loading.square_maker import training_images
from trainables.data.store.store import RowSelection, Store
from trainables.export.model_info import InputSpec
from trainables.models.classifier import Classifier

SAMPLED_IMAGES = 400
"""Training images whose patches are measured."""
EPSILON = 5e-4
"""Added to each variance (of normalised pixels), so that noise in near-empty directions is not blown up."""

_FILTERS: dict[tuple[str, RowSelection, Fold | None, InputSpec, int, int], Tensor] = {}
"""Filters of this process's data sets: a gang trains many trials on one."""


class Whitening(nn.Conv2d):
    """Convolution with two outputs for each number of a patch, random until `fit_whitening`; its bias is trained."""

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        """Take patches of `kernel` x `kernel` pixels, every `stride`-th, without padding."""
        super().__init__(channels, 2 * channels * kernel**2, kernel, stride)
        self.weight.requires_grad_(False)
        if self.bias is not None:
            nn.init.zeros_(self.bias)


def fit_whitening(model: Classifier, store: Store, split: RowSelection = "train", fold: Fold | None = None) -> None:
    """Fill the filters of the model's whitening layer, if it has one, from a training split of `store` or a `fold`."""
    spec = model.preprocess.spec
    for layer in model.network.trunk.modules():
        if isinstance(layer, Whitening):
            kernel, stride = layer.kernel_size[0], layer.stride[0]
            key = (store.summary.fingerprint, split, fold, spec, kernel, stride)
            if key not in _FILTERS:
                rows = store.rows(split, fold)
                _FILTERS[key] = whitening_filters(sample_patches(model, store, rows, kernel, stride))
            with torch.no_grad():
                layer.weight.copy_(_FILTERS[key].view_as(layer.weight))


@torch.no_grad()
def sample_patches(model: Classifier, store: Store, rows: NDArray[np.int64], kernel: int, stride: int) -> Tensor:
    """Patches (n, channels * kernel * kernel) of images evenly spread over `rows`, as the network sees them."""
    sample = rows[:: -(-len(rows) // SAMPLED_IMAGES)]
    images = torch.from_numpy(training_images(store, sample, model.preprocess.spec.square_fit))
    patches = functional.unfold(model.preprocess(images), kernel, stride=stride)
    return patches.transpose(1, 2).flatten(0, 1)


def whitening_filters(patches: Tensor) -> Tensor:
    """Filters (2 d, d) that take patches (n, d) to unit variance without correlation, and the same ones negated."""
    variances, directions = torch.linalg.eigh(torch.cov(patches.T.double()))
    # eigh leaves each direction's sign open; fixed, so that every machine finds the same filters.
    largest = directions.gather(0, directions.abs().argmax(dim=0, keepdim=True))
    directions = directions * largest.sign()
    filters = (directions / torch.sqrt(variances + EPSILON)).T.float()
    return torch.cat([filters, -filters])
