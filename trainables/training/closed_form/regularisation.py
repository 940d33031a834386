"""The L2 of a logistic regression, by cross-validated log loss on the images that it is fitted to."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.data.folds import assign_folds
from trainables.training.closed_form.logistic_regression import Problem, solve

L2_PATH = tuple(10.0**exponent for exponent in np.arange(3.5, -2.1, -0.5))
"""Values that are tried, from strong to weak: each fit begins from the one before."""
TOLERANCE = 1e-6
"""Fall of the loss in a step, in nats, at which the fits that are compared end; the last one goes on."""
FEW_IMAGES, MANY_IMAGES = 2_000, 10_000
"""Images up to which there are 5 folds, and 3; with more, one fifth of the images is held out once."""
FOLDS = 5


@dataclass(frozen=True)
class ChosenL2:
    """The chosen L2, and where the fit to all images may begin."""

    l2: float
    """The value with the least loss."""
    start: Tensor
    """Weights (1, classes, components + 1): the mean of the folds' at that value."""
    losses: tuple[float, ...]
    """Mean held-out log loss in nats at each value that was tried; empty where nothing could be held out."""


def choose_l2(
    problem: Problem, groups: NDArray[np.int64] | None, on_step: Callable[[], None] = lambda: None
) -> ChosenL2:
    """Choose the L2 of a problem with one fit, whose images may belong to `groups` (n,), which are held out whole.

    Images of a class that a fold's training images lack say nothing about the L2, and are not scored.
    """
    training, held = _weights_by_fold(problem, groups)
    usable = (training.sum(dim=1) > 0) & (held.sum(dim=1) > 0)
    if not usable.any():
        return ChosenL2(L2_PATH[2], solve(problem, L2_PATH[2], None, on_step), ())
    folds, held = replace(problem, weights=training[usable]), held[usable]
    best, solution, losses = 0, None, list[float]()
    start = torch.empty(0)
    for place, l2 in enumerate(L2_PATH):
        solution = solve(folds, l2, solution, on_step, TOLERANCE)
        losses.append(_held_out_loss(folds, solution, held))
        if losses[place] > losses[best]:  # it has one minimum along the path
            break
        best, start = place, solution.mean(dim=0, keepdim=True)
    return ChosenL2(L2_PATH[best], start, tuple(losses))


def _weights_by_fold(problem: Problem, groups: NDArray[np.int64] | None) -> tuple[Tensor, Tensor]:
    """Weights (folds, n) of the images in each fold's training, and in its score."""
    labels, own = problem.labels.cpu().numpy(), problem.weights[0]
    count = len(labels)
    dealt = assign_folds(labels, FOLDS if count <= FEW_IMAGES or count > MANY_IMAGES else 3, 0, groups)
    kept = np.unique(dealt)[: 1 if count > MANY_IMAGES else None]
    held = torch.from_numpy(dealt == kept[:, None]).to(own.device)
    training = own * ~held
    one_hot = torch.nn.functional.one_hot(problem.labels, problem.classes).to(own.dtype)
    known = (training @ one_hot > 0)[:, problem.labels]  # (folds, n): whether the image's class is trained on
    return training, own * (held & known)


def _held_out_loss(folds: Problem, solution: Tensor, held: Tensor) -> float:
    """Mean log loss of the held-out images, over all folds."""
    total = torch.zeros((), dtype=torch.float64, device=held.device)
    for weights, own in zip(solution, held, strict=True):
        rows = own.nonzero()[:, 0]
        logits = torch.nn.functional.linear(folds.inputs[rows], weights[:, :-1], weights[:, -1])
        each = torch.nn.functional.cross_entropy(logits, folds.labels[rows], reduction="none")
        total += (each * own[rows]).sum(dtype=torch.float64)
    return float(total / held.sum(dtype=torch.float64))
