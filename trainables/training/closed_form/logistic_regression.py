"""Multinomial logistic regression with L2, by L-BFGS in the basis of the features' principal components.

The basis has two uses. It leaves out directions in which no image differs, of which there are many where images are
fewer than features; and there the Hessian is nearly diagonal, so that a scale for each direction conditions the
problem: the optimum is the same, and takes some 20 steps. Several fits to the same images with other weights, such as
the folds of a cross-validation, are solved side by side: reading features takes longer than computing with them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

SMALLEST_DEVIATION = 1e-6
"""Standard deviation of a feature, relative to the largest one's, under which it is constant and left out."""
SMALLEST_VARIANCE = 1e-7
"""Variance of a principal component, relative to the first one's, under which it is rounding."""
MAX_STEPS = 500
"""L-BFGS steps of one fit, at most."""
GRADIENT_TOLERANCE = 1e-5
"""Largest element of the gradient of the mean loss, by scaled weights, at which a fit has ended."""
LOSS_TOLERANCE = 1e-8
"""Relative fall of the loss in a step under which a fit has ended: float32 says no more."""


@dataclass(frozen=True)
class HeadWeights:
    """A fitted head: one linear layer on features as the backbone gives them."""

    weight: Tensor
    """Float32 (classes, features)."""
    bias: Tensor
    """Float32 (classes,)."""
    l2: float
    """Factor of half the squared weights of standardised features, beside the summed loss: scikit-learn's 1 / C."""

    def logits(self, features: Tensor) -> Tensor:
        """Logits (n, classes) of features (n, features)."""
        return features @ self.weight.T + self.bias


@dataclass(frozen=True)
class Basis:
    """Standardisation of features and their principal components."""

    mean: Tensor
    """Float32 (features,): means of the images that are fitted to."""
    components: Tensor
    """Float32 (features, components): what a feature less its mean adds to each principal component."""
    variances: Tensor
    """Float64 (components,), on the CPU: variance of the images along each component."""

    @classmethod
    def of(cls, features: Tensor) -> "Basis":
        """The basis of features (n, features): the smaller of their covariance and Gram matrices is decomposed."""
        mean = features.mean(dim=0)
        deviation = features.std(dim=0, correction=0)
        kept = deviation > SMALLEST_DEVIATION * deviation.max().clamp(min=1e-30)
        factor = torch.where(kept, 1.0 / deviation.clamp(min=1e-30), 0.0)
        standard = (features - mean) * factor
        count, width = standard.shape
        matrix = standard.T @ standard if width <= count else standard @ standard.T
        values, vectors = torch.linalg.eigh((matrix / count).cpu().double())
        large = values > SMALLEST_VARIANCE * values.max().clamp(min=1e-30)
        values, vectors = values[large].flip(0), vectors[:, large].flip(1)
        if width > count:  # the vectors are of images; those of features are sums of images
            vectors = (standard.T @ vectors.to(standard)).cpu().double() / (values * count).sqrt()
        return cls(mean, vectors.to(standard) * factor[:, None], values)

    def project(self, features: Tensor) -> Tensor:
        """Features (n, features) as principal components (n, components)."""
        return (features - self.mean) @ self.components


@dataclass(frozen=True)
class Problem:
    """Images to fit to, in principal components."""

    inputs: Tensor
    """Float32 (n, components)."""
    labels: Tensor
    """Int64 (n,)."""
    weights: Tensor
    """Float32 (fits, n): each image's weight in the loss of each fit; a row's sum stands for its number of images."""
    variances: Tensor
    """Float64 (components,), on the CPU: variance along each component."""
    classes: int
    """Number of classes."""


def solve(
    problem: Problem, l2: float, start: Tensor | None = None, on_step: Callable[[], None] = lambda: None
) -> Tensor:
    """Float32 weights (fits, classes, components + 1) in the basis, the last column being the biases, from `start` on.

    Each fit minimises the weighted sum of cross-entropies plus `l2` / 2 times its squared weights without the biases.
    """
    device, classes, fits = problem.inputs.device, problem.classes, len(problem.weights)
    totals = problem.weights.sum(dim=1, keepdim=True)
    shares = (problem.weights / totals).T.contiguous()  # (n, fits)
    penalty = l2 / totals[:, :, None]  # (fits, 1, 1)
    curvatures = problem.variances.float().to(device) / classes + penalty
    ones = torch.full((fits, 1, 1), 1.0 / classes, device=device)
    scales = torch.cat([curvatures, ones], dim=2).rsqrt()  # (fits, 1, components + 1)
    labels = problem.labels[:, None, None].expand(-1, fits, 1)

    def evaluate(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        on_step()
        both = torch.from_numpy(flat.reshape(fits, classes, -1)).float().to(device) * scales
        weights, biases = both[:, :, :-1], both[:, :, -1]
        logits = torch.nn.functional.linear(problem.inputs, weights.flatten(0, 1), biases.flatten())
        logs = logits.view(-1, fits, classes).log_softmax(dim=2)
        loss = -(logs.gather(2, labels)[:, :, 0] * shares).sum(dtype=torch.float64)
        loss += (penalty * weights.square()).sum(dtype=torch.float64) / 2
        errors = logs.exp_().scatter_add_(2, labels, -torch.ones_like(labels, dtype=logs.dtype)) * shares[:, :, None]
        slopes = (errors.flatten(1).T @ problem.inputs).view(fits, classes, -1) + penalty * weights
        gradient = torch.cat([slopes, errors.sum(dim=0)[:, :, None]], dim=2) * scales
        return float(loss), gradient.double().cpu().numpy().ravel()

    width = problem.inputs.shape[1] + 1
    begin = torch.zeros(fits, classes, width) if start is None else (start / scales).cpu()
    options = {"maxiter": MAX_STEPS, "gtol": GRADIENT_TOLERANCE, "ftol": LOSS_TOLERANCE, "maxcor": 12}
    found: Any = minimize(evaluate, begin.double().numpy().ravel(), jac=True, method="L-BFGS-B", options=options)
    solution: Tensor = torch.from_numpy(found.x.reshape(fits, classes, width)).float().to(device) * scales
    return solution


def fold_into_head(basis: Basis, solution: Tensor, l2: float) -> HeadWeights:
    """The same function of the features as they are, of weights (classes, components + 1) in the basis."""
    weight = solution[:, :-1].double() @ basis.components.double().T
    bias = solution[:, -1].double() - weight @ basis.mean.double()
    return HeadWeights(weight.float().contiguous(), bias.float().contiguous(), l2)
