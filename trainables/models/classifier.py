"""A whole classifier: preprocessing without weights, and a network of a trunk that gives features and a head.

Several classifiers may be one: an ensemble, whose probabilities are the mean of theirs (arXiv:1612.01474).
"""

import math
from collections.abc import Sequence
from typing import Any

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
    def last_layer(self) -> nn.Module:
        """The head; of a trunk that gives logits itself, its last convolution or linear layer."""
        if next(self.head.parameters(), None) is not None:
            return self.head
        layers = [module for module in self.trunk.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
        return layers[-1] if layers else self.head

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
        return self.classify(self.views(inputs, self.mirrored and not self.training))

    def views(self, inputs: Tensor, mirrored: bool) -> list[Tensor]:
        """The trunk's features of the images, and of their mirror images if asked."""
        return [self.trunk(seen) for seen in ([inputs, inputs.flip(-1)] if mirrored else [inputs])]

    def classify(self, views: Sequence[Tensor]) -> Tensor:
        """The head's logits of the features of the images; their mean with the mirror images', if it is mirrored."""
        logits: Tensor = self.head(views[0])
        return (logits + self.head(views[1])) / 2 if self.mirrored and not self.training else logits


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

    def __init__(self, members: Sequence[Classifier], counts: Sequence[int] = ()) -> None:
        """Join `members`, which have the same classes; each counts as often as `counts` says, or once.

        Those that share a trunk, as `share_trunks` makes them, have its features computed once.
        """
        super().__init__()
        self.counts = tuple(counts)
        """How often each member counts; empty: all alike."""
        trunks = [member.network.trunk for member in members]
        self._trunks = tuple(trunks.index(trunk) for trunk in trunks)
        """For each member, the first one that has its trunk."""
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
        members: list[Any] = list(self.members)
        seen: dict[int, list[Tensor]] = {}
        logits = []
        for index, (member, trunk) in enumerate(zip(members, self._trunks, strict=True)):
            if trunk == index:
                of_trunk = [other for other, first in zip(members, self._trunks, strict=True) if first == trunk]
                inputs = member.preprocess(images[self._places[index] if len(images) > 1 else 0])
                seen[trunk] = member.network.views(inputs, any(other.network.mirrored for other in of_trunk))
            logits.append(member.network.classify(seen[trunk]))
        return mean_probability_logits(logits, self.counts)


def mean_probability_logits(logits: Sequence[Tensor], counts: Sequence[int] = ()) -> Tensor:
    """Logarithms of the members' mean probabilities (b, classes), of each one's logits (b, classes).

    Each counts as often as `counts` says, or once.
    """
    counted = tuple(counts) or (1,) * len(logits)
    logs = [each.float().log_softmax(dim=1) + math.log(count) for each, count in zip(logits, counted, strict=True)]
    return torch.stack(logs).logsumexp(dim=0) - math.log(sum(counted))


def share_trunks(members: Sequence[Classifier]) -> None:
    """Let members with equal trunks, to the last bit, and equal inputs share the first one's; in place."""
    for index, member in enumerate(members):
        same = next((other for other in members[:index] if _sees_alike(other, member)), None)
        if same is not None:
            member.network.trunk = same.network.trunk


def _sees_alike(first: Classifier, second: Classifier) -> bool:
    if first.preprocess.spec != second.preprocess.spec:
        return False
    mine, other = first.network.trunk.state_dict(), second.network.trunk.state_dict()
    return mine.keys() == other.keys() and all(torch.equal(mine[name], other[name]) for name in mine)


AnyClassifier = Classifier | Ensemble
"""A winner: one classifier or an ensemble."""
