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
        logs = torch.stack([member(images).float().log_softmax(dim=1) for member in self.members])
        return logs.logsumexp(dim=0) - math.log(len(self.members))


AnyClassifier = Classifier | Ensemble
"""What a winner can be."""
