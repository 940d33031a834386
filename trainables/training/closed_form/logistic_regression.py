"""Multinomial logistic regression with L2, by L-BFGS in the basis of the features' principal components.

The basis has two uses. It leaves out directions in which no image differs, of which there are many where images are
fewer than features; and there the Hessian is nearly diagonal, so that a scale for each direction conditions the
problem: the optimum is the same, and takes some 20 steps. Several fits to the same images with other weights, such as
the folds of a cross-validation, are solved side by side: reading features takes longer than computing with them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
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
"""Fall of the mean loss in a step, in nats, under which a fit has ended: float32 says little more."""

LEAST_CURVATURE = 1e-4
"""Second derivative of the loss that is assumed where all images are found with certainty."""


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
    problem: Problem, l2: float, start: Tensor | None = None, on_step: Callable[[], None] = lambda: None,
    tolerance: float = LOSS_TOLERANCE,
) -> Tensor:  # fmt: skip
    """Float32 weights (fits, classes, components + 1) in the basis, the last column being the biases, from `start` on.

    Each fit minimises the weighted sum of cross-entropies plus `l2` / 2 times its squared weights without the biases.
    """
    device, classes, fits = problem.inputs.device, problem.classes, len(problem.weights)
    totals = problem.weights.sum(dim=1, keepdim=True)
    shares = (problem.weights / totals).T.contiguous()  # (n, fits)
    penalty = l2 / totals[:, :, None]  # (fits, 1, 1)
    curvature = _mean_curvature(problem, start)
    curvatures = problem.variances.float().to(device) * curvature + penalty
    scales = torch.cat([curvatures, torch.full((fits, 1, 1), curvature, device=device)], dim=2).rsqrt()
    labels = problem.labels[:, None, None].expand(-1, fits, 1)

    width = problem.inputs.shape[1] + 1
    scaled = torch.zeros(fits, classes, width, device=device) if start is None else start / scales
    optimizer = torch.optim.LBFGS(
        [scaled.requires_grad_()], max_iter=MAX_STEPS, tolerance_grad=GRADIENT_TOLERANCE,
        tolerance_change=tolerance, history_size=12, line_search_fn="strong_wolfe",
    )  # fmt: skip

    @torch.no_grad()
    def evaluate() -> float:
        on_step()
        both = scaled * scales
        weights, biases = both[:, :, :-1], both[:, :, -1]
        logits = torch.nn.functional.linear(problem.inputs, weights.flatten(0, 1), biases.flatten())
        logs = logits.view(-1, fits, classes).log_softmax(dim=2)
        loss = -(logs.gather(2, labels)[:, :, 0] * shares).sum(dtype=torch.float64)
        loss += (penalty * weights.square()).sum(dtype=torch.float64) / 2
        errors = logs.exp_().scatter_add_(2, labels, -torch.ones_like(labels, dtype=logs.dtype)) * shares[:, :, None]
        slopes = (errors.flatten(1).T @ problem.inputs).view(fits, classes, -1) + penalty * weights
        scaled.grad = torch.cat([slopes, errors.sum(dim=0)[:, :, None]], dim=2) * scales
        return float(loss)

    optimizer.step(evaluate)  # type: ignore[no-untyped-call]  # torch ships no types for it
    return scaled.detach() * scales


def _mean_curvature(problem: Problem, start: Tensor | None) -> float:
    """Mean second derivative of an image's loss by a logit, at the weights `start` (None: 0) of the first fit."""
    if start is None:
        return (1.0 - 1.0 / problem.classes) / problem.classes
    logits = torch.nn.functional.linear(problem.inputs, start[0, :, :-1], start[0, :, -1])
    likely = logits.softmax(dim=1)
    return max(LEAST_CURVATURE, float((likely * (1.0 - likely)).mean()))


def fold_into_head(basis: Basis, solution: Tensor, l2: float) -> HeadWeights:
    """The same function of the features as they are, of weights (classes, components + 1) in the basis."""
    weight = solution[:, :-1].double() @ basis.components.double().T
    bias = solution[:, -1].double() - weight @ basis.mean.double()
    return HeadWeights(weight.float().contiguous(), bias.float().contiguous(), l2)
