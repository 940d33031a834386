"""The logistic regression that a configuration's head is, or begins from, on features of its frozen backbone."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.config import TrialConfig
from trainables.data.store.store import Store
from trainables.training.closed_form.logistic_regression import (
    Basis,
    HeadWeights,
    Problem,
    fold_into_head,
    solve,
)
from trainables.training.closed_form.regularisation import choose_l2
from trainables.training.features.feature_set import Features
from trainables.training.features.frozen_features import feature_views
from trainables.training.loss_weights import loss_weights


def fit_head(
    config: TrialConfig,
    store: Store,
    rows: NDArray[np.int64],
    device: torch.device,
    on_step: Callable[[], None] = lambda: None,
) -> HeadWeights:
    """The head of `config`'s backbone, frozen as a whole, fitted to the images at `rows` of the store and no others.

    L2 is chosen by cross-validation on these rows. Features that are not on this node yet are computed first. Smoothing
    of labels, dropout and augmentation mean nothing to it. Raises what loading the backbone raises, and `ValueError`
    where all images at `rows` have weight 0.
    """
    views = feature_views(config, store, device, on_step)
    return fit_to_views(views, config, store, rows, device, on_step)


def fit_to_views(
    views: Sequence[Features], config: TrialConfig, store: Store, rows: NDArray[np.int64], device: torch.device,
    on_step: Callable[[], None],
) -> HeadWeights:  # fmt: skip
    """The same on features (images, features) of each view, which are averaged: so are logits, at inference."""
    features, labels = mean_features(views, rows, device), torch.from_numpy(store.labels[rows]).to(device)
    groups = None if store.groups is None else store.groups[rows]
    basis = Basis.of(features)
    problem = Problem(
        inputs=basis.project(features), labels=labels, weights=_image_weights(config, store, rows, labels)[None],
        variances=basis.variances, classes=len(store.summary.classes),
    )  # fmt: skip
    del features
    choice = choose_l2(problem, groups, on_step)
    return fold_into_head(basis, solve(problem, choice.l2, choice.start, on_step)[0], choice.l2)


def mean_features(views: Sequence[Features], rows: NDArray[np.int64], device: torch.device) -> Tensor:
    """Float32 features (n, features) of rows, on the device: the mean of all views, which are read one by one."""
    total = np.asarray(views[0]).take(rows, axis=0)
    for view in views[1:]:
        total += np.asarray(view).take(rows, axis=0)
    total /= len(views)
    return torch.from_numpy(total).to(device)


def _image_weights(config: TrialConfig, store: Store, rows: NDArray[np.int64], labels: Tensor) -> Tensor:
    """Float32 weights (n,) of the images in the loss; drawing all classes equally often means weights here, too."""
    own = None if store.weights is None else torch.from_numpy(store.weights[rows]).to(labels.device)
    found = loss_weights(labels, "none" if config.balance == "none" else "loss", own)
    return torch.ones(len(labels), device=labels.device) if found is None else found
