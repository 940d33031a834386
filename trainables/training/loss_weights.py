"""Weights of training images in the loss: of their own, by their class, or both."""

from typing import Literal

import torch
from torch import Tensor


def class_weights(labels: Tensor) -> Tensor:
    """Float32 weights (classes,) inverse to how often each class occurs; their mean over `labels` (n,) is 1.

    Each class that occurs so has the same share of the sum of weights; one that does not, weighs 0.
    """
    return _by_share(torch.bincount(labels).double(), len(labels)).float()


def loss_weights(
    labels: Tensor, balance: Literal["none", "loss", "sampling"], own: Tensor | None
) -> Tensor | None:  # fmt: skip
    """Float32 weights (n,) of images with these labels (n,), whose mean is 1; None if all are 1.

    `own` (n,) are the images' own weights, of which proportions count alone. Where classes are balanced, by the loss or
    by draws that take each class equally often, each class has the same share of the weight, divided within the class
    by the images' own. Raises `ValueError` if all own weights are 0.
    """
    if own is None:
        return class_weights(labels)[labels] if balance == "loss" else None
    weights = own.double()
    total = weights.sum()
    if not total > 0:
        raise ValueError("all training images have weight 0; give some of them more in the table's weight column")
    if balance == "none":
        return (weights * (len(labels) / total)).float()
    by_class = torch.bincount(labels, weights=weights)
    if balance == "loss":
        return (weights * _by_share(by_class, len(labels))[labels]).float()
    counts = torch.bincount(labels).double()
    return (weights * torch.where(by_class > 0, counts / by_class.clamp(min=1e-300), 0.0)[labels]).float()


def _by_share(amounts: Tensor, count: int) -> Tensor:
    """Factors that give each class with an amount above 0 the same share of `count`."""
    factors = count / (amounts.count_nonzero() * amounts.clamp(min=1e-300))
    return torch.where(amounts > 0, factors, 0.0)
