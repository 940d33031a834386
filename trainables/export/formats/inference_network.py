"""The classifier as it is exported: the same logits from fewer operations."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from trainables.custom.own_network import OwnNetwork
from trainables.models.classifier import AnyClassifier, Network


class InferenceClassifier(nn.Module):
    """Uint8 images of the trained shape in, logits and probabilities out, both float32."""

    def __init__(self, classifier: AnyClassifier, dtype: torch.dtype = torch.float32) -> None:
        """Optimise a copy of `classifier`; its networks compute in `dtype`."""
        super().__init__()
        self.classifier = copy.deepcopy(classifier).eval()
        own = {
            id(part) for each in self.classifier.modules() if isinstance(each, OwnNetwork) for part in each.modules()
        }
        for parent in list(self.classifier.modules()):
            if (
                isinstance(parent, nn.Sequential) and id(parent) not in own
            ):  # a user's code may call its layers one by one
                reorder_layers(parent)
            for name, child in parent.named_children():
                if isinstance(child, Network):
                    setattr(parent, name, InferenceNetwork(child, dtype))

    def forward(self, *images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and probabilities (b, classes) of uint8 images (b, c, h, w), or of their squares in all its fits."""
        logits: Tensor = self.classifier(*images)
        return logits, logits.softmax(dim=1)


class InferenceNetwork(nn.Module):
    """A network for inference alone; one that averages an image and its mirror image sees both in one pass."""

    def __init__(self, network: Network, dtype: torch.dtype) -> None:
        """Take over the network's trunk and head, to compute in `dtype`."""
        super().__init__()
        self.trunk, self.head = network.trunk.to(dtype), network.head.to(dtype)
        self.mirrored, self.dtype = network.mirrored, dtype

    def forward(self, inputs: Tensor) -> Tensor:
        """Float32 logits (b, classes) of preprocessed images (b, channels, side, side)."""
        return self.classify(self.views(inputs, self.mirrored))

    def views(self, inputs: Tensor, mirrored: bool) -> list[Tensor]:
        """The trunk's features of the images, and of their mirror images if asked, in one pass."""
        inputs = inputs.to(self.dtype)
        if not mirrored:
            return [self.trunk(inputs)]
        both: Tensor = self.trunk(torch.cat([inputs, inputs.flip(-1)]))
        return list(both.view(2, -1, *both.shape[1:]).unbind())

    def classify(self, views: Sequence[Tensor]) -> Tensor:
        """Float32 logits (b, classes) of the features of the images, or the mean with their mirror images'."""
        logits: Tensor = self.head(views[0]).float()
        return (logits + self.head(views[1]).float()) / 2 if self.mirrored else logits


def reorder_layers(layers: nn.Sequential) -> None:
    """Move max-pools behind the batch norm and ReLU that follow them, then fuse norms into convolutions; in place.

    Both keep the order of values (a norm with a positive scale does), so the largest stays the largest, to the bit.
    """
    order = list(layers)
    for index in range(len(order) - 1):
        if isinstance(order[index], nn.MaxPool2d) and _keeps_order(order[index + 1]):
            order[index : index + 2] = order[index + 1], order[index]
    for index in range(len(order) - 1):
        first, second = order[index : index + 2]
        if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
            order[index : index + 2] = fuse_conv_bn_eval(first, second), nn.Identity()
    for index, layer in enumerate(order):
        layers[index] = layer


def _keeps_order(layer: nn.Module) -> bool:
    if isinstance(layer, nn.BatchNorm2d):
        return not layer.affine or bool((layer.weight > 0).all())
    return isinstance(layer, nn.ReLU)
