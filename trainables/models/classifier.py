"""A whole classifier: preprocessing without weights, and a network of a trunk that gives features and a head.

Several classifiers may be one: an ensemble, whose probabilities are the mean of theirs (arXiv:1612.01474).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainables.data.loading.square_fit import SquareFit
from trainables.export.model_info import distinct_fits
from trainables.models.preprocess import Preprocess


class Network(nn.Module):
    """Trunk and head: preprocessed images in, logits out. The head alone can be trained on features computed once."""

    def __init__(
        self, trunk: nn.Module, head: nn.Module, frozen: Sequence[nn.Module] = (), mirrored: bool = False
    ) -> None:
        """Put the head on the trunk; `frozen` lists the trunk's modules that keep their weights and statistics.

        `mirrored` averages the logits of each image and its mirror image, outside training.
        """
        super().__init__()
        self.mirrored = mirrored
        self.trunk = trunk
        self.head = head
        self._evaluated: tuple[nn.Module, ...] = ()
        self.freeze(frozen)

    def freeze(self, modules: Sequence[nn.Module], norms: Sequence[nn.Module] = ()) -> None:
        """Let modules of the trunk keep their weights and statistics, and batch norms their statistics alone."""
        self._evaluated += (*modules, *norms)
        for module in modules:
            module.requires_grad_(False)

    @property
    def trunk_is_frozen(self) -> bool:
        """Whether the head alone is trained."""
        return not any(p.requires_grad for p in self.trunk.parameters())

    def train(self, mode: bool = True) -> "Network":
        """Set training mode; modules that keep their statistics stay in evaluation mode."""
        super().train(mode)
        for module in self._evaluated:
            module.eval()
        return self

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits (b, classes) of preprocessed images (b, channels, side, side)."""
        logits: Tensor = self.head(self.trunk(inputs))
        if self.mirrored and not self.training:
            logits = (logits + self.head(self.trunk(inputs.flip(-1)))) / 2
        return logits


class UpperNetwork(nn.Module):
    """Upper layers of a trunk, and the head: what the layers below them give in, logits out.

    Batch norms keep their statistics. Outside training, with `views` above 1, inputs (b, views, ...) are views of each
    image, whose logits are averaged.
    """

    def __init__(self, layers: nn.Module, head: nn.Module, views: int = 1) -> None:
        """Put the head on the layers, which may be the same modules as those of a whole network."""
        super().__init__()
        self.layers = layers
        self.head = head
        self.views = views

    def train(self, mode: bool = True) -> "UpperNetwork":
        """Set training mode, in which batch norms stay in evaluation mode."""
        super().train(mode)
        for module in self.layers.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
        return self

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits (b, classes) of activations or features, the batch first."""
        averaged = self.views > 1 and not self.training
        seen = inputs.flatten(0, 1) if averaged else inputs
        logits: Tensor = self.head(self.layers(seen))
        return logits.view(len(inputs), self.views, -1).mean(dim=1) if averaged else logits


class Classifier(nn.Module):
    """Uint8 images in, logits out."""

    def __init__(self, preprocess: Preprocess, network: Network) -> None:
        """Put the network behind its preprocessing."""
        super().__init__()
        self.preprocess = preprocess
        self.network = network

    @property
    def pixels(self) -> int:
        """Numbers in one image as the network sees it."""
        return self.preprocess.spec.pixels

    @property
    def fits(self) -> tuple[SquareFit, ...]:
        """How its images become squares; empty for images that are stored in one shape."""
        return distinct_fits([self.preprocess.spec])

    def forward(self, images: Tensor) -> Tensor:
        """Logits (b, classes) of uint8 images (b, c, h, w)."""
        logits: Tensor = self.network(self.preprocess(images))
        return logits


def linear_head(features: int, classes: int, dropout: float) -> nn.Sequential:
    """Dropout and one linear layer."""
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(features, classes))


class Ensemble(nn.Module):
    """Uint8 images in, logits out, as of one classifier; their softmax is the mean of the members' softmaxes."""

    def __init__(self, members: Sequence[Classifier]) -> None:
        """Join `members`, which have the same classes."""
        super().__init__()
        self.members = nn.ModuleList(members)
        self.pixels = max(member.pixels for member in members)
        """Numbers in one image as the network that sees the largest sees it."""
        specs = [member.preprocess.spec for member in members]
        self.fits = distinct_fits(specs)
        """Ways in which images become the members' squares; empty for images that are stored in one shape."""
        self._places = tuple(self.fits.index(spec.square_fit) if spec.square_fit else 0 for spec in specs)

    def forward(self, *images: Tensor) -> Tensor:
        """Logarithms of the members' mean probabilities (b, classes), of uint8 images (b, c, h, w).

        The images are stored ones, or their squares, one for each of `fits`.
        """
        each = [images[place if len(images) > 1 else 0] for place in self._places]
        return mean_probability_logits([member(seen) for member, seen in zip(self.members, each, strict=True)])


def mean_probability_logits(logits: Sequence[Tensor]) -> Tensor:
    """Logarithms of the members' mean probabilities (b, classes), of each one's logits (b, classes)."""
    logs = torch.stack([each.float().log_softmax(dim=1) for each in logits])
    return logs.logsumexp(dim=0) - math.log(len(logits))


AnyClassifier = Classifier | Ensemble
"""A winner: one classifier or an ensemble."""
