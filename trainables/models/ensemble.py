"""An ensemble: several classifiers as one, whose probabilities are the mean of theirs (arXiv:1612.01474)."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainables.models.classifier import Classifier


class Ensemble(nn.Module):
    """Uint8 images in, logits out, as of one classifier; their softmax is the mean of the members' softmaxes."""

    def __init__(self, members: Sequence[Classifier]) -> None:
        """Join `members`, which know the same classes."""
        super().__init__()
        self.members = nn.ModuleList(members)
        self.pixels = max(member.pixels for member in members)
        """Numbers in one image as the network that sees the largest sees it."""

    def forward(self, images: Tensor) -> Tensor:
        """Logarithms of the members' mean probabilities (b, classes), of uint8 images (b, c, h, w)."""
        return join([member(images) for member in self.members])


def join(logits: Sequence[Tensor]) -> Tensor:
    """Logarithms of the members' mean probabilities (b, classes), of each one's logits (b, classes)."""
    logs = torch.stack([each.float().log_softmax(dim=1) for each in logits])
    return logs.logsumexp(dim=0) - math.log(len(logits))


AnyClassifier = Classifier | Ensemble
"""What a winner can be."""
