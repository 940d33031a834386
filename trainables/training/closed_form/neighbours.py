"""k nearest neighbours by cosine: a check of a logistic regression that has no fit which could go wrong."""

import logging

import torch
from torch import Tensor
from torch.nn import functional

logger = logging.getLogger(__name__)

NEIGHBOURS = 10
"""Training images that vote on an image, each by its cosine (arXiv:1805.01978)."""
CHUNK = 1024
"""Images whose cosines with all training images are in memory at a time."""
MOST_QUERIES = 2_000
"""Images that are looked up, at most: this is a check, and no score."""
SUSPICIOUS = 0.1
"""Accuracy by which neighbours are better than the regression from which on its fit may be broken."""


def neighbour_accuracy(features: Tensor, labels: Tensor, queries: Tensor, wanted: Tensor, classes: int) -> float:
    """Share of `queries` (m, features) whose neighbours in `features` (n, features) vote for the class `wanted` (m,).

    All features are compared after the means of `features` are subtracted.
    """
    mean = features.mean(dim=0)
    known = functional.normalize(features - mean, dim=1)
    queries, wanted = queries[:MOST_QUERIES], wanted[:MOST_QUERIES]
    right = 0
    for some, true in zip(torch.split(queries, CHUNK), torch.split(wanted, CHUNK), strict=True):
        cosines, places = (functional.normalize(some - mean, dim=1) @ known.T).topk(min(NEIGHBOURS, len(known)), dim=1)
        votes = torch.zeros(len(some), classes, device=some.device)
        votes.scatter_add_(1, labels[places], cosines.clamp(min=0.0))
        right += int((votes.argmax(dim=1) == true).sum())
    return right / max(1, len(queries))


def report_check(name: str, regression: float, neighbours: float) -> None:
    """Log both accuracies; as a warning where the regression is worse by far, as a broken fit would be."""
    said = f"{name}: accuracy {regression:.3f} by logistic regression, {neighbours:.3f} by {NEIGHBOURS} neighbours"
    if neighbours > regression + SUSPICIOUS:
        logger.warning(f"{said}: the fit of the regression may be broken")
    else:
        logger.debug(said)
