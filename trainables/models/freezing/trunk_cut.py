"""Cuts a pretrained trunk into a lower part, which keeps its weights, and an upper part, which is fine-tuned.

A trunk can be cut where it is a sequence: its children, one after another, give what it gives. Where it is cut follows
from its layers and the number of images alone, never from this machine: all trials of a search, its winner and a
resumed trial must train the same layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log, prod

import torch
from torch import Tensor, nn

from trainables.common.errors import UserError
from trainables.models.pretrained import shape_only_backbone

UPPER_SHARE = 0.15
"""Of the trunk's multiplications, about, that the upper part takes; a step of training takes three times as many."""
MOST_BYTES = 10**9
"""Bytes that one view of all images, as activations of two bytes a number, takes at most; a later cut takes fewer."""
REMEDY = "give freeze stem, none or all"


@dataclass(frozen=True)
class Cut:
    """One place at which a trunk can be cut."""

    index: int
    """Layers of `trunk_layers` below it."""
    numbers: int
    """Numbers in the activations of one image there."""
    upper_share: float
    """Share of the trunk's multiplications above it."""


def trunk_layers(trunk: nn.Module) -> list[nn.Module]:
    """The trunk's children in order, sequences of them resolved; torchvision's flattening is added after its pooling.

    They need not give together what the trunk gives; `check_layers` tells.
    """
    layers: list[nn.Module] = []
    for child in trunk.children():
        layers += trunk_layers(child) if type(child) is nn.Sequential else [child]
        if isinstance(child, nn.AdaptiveAvgPool2d):
            layers.append(nn.Flatten(1))
    return layers


@lru_cache(maxsize=64)
def find_cuts(model: str, side: int) -> tuple[Cut, ...]:
    """All places at which the backbone `model` can be cut for images of `side` pixels, with weights above each.

    Raises `UserError` where its layers do not make a sequence, as far as shapes tell. Needs no weights.
    """
    trunk, features, _native = shape_only_backbone(model)
    layers = trunk_layers(trunk.eval())
    costs, numbers = _measure_layers(model, layers, side, features)
    total = sum(costs)
    learnt = [any(True for _ in layer.parameters()) for layer in layers]
    return tuple(
        Cut(index, numbers[index], sum(costs[index:]) / total)
        for index in range(1, len(layers))
        if any(learnt[index:]) and any(learnt[:index])
    )


@torch.no_grad()
def _measure_layers(model: str, layers: list[nn.Module], side: int, features: int) -> tuple[list[int], list[int]]:
    """Multiplications of each layer for one image, and the numbers that it takes."""
    example = next((each for layer in layers for each in layer.parameters()), torch.empty(0))
    images: Tensor = torch.empty(2, 3, side, side, device=example.device)
    costs, numbers, counted = [], [], [0]

    def count(module: nn.Module, _inputs: object, output: Tensor) -> None:
        counted[0] += output[0].numel() * module.get_parameter("weight")[0].numel()

    for layer in layers:
        hooks = [m.register_forward_hook(count) for m in layer.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        numbers.append(prod(images.shape[1:]))
        counted[0] = 0
        try:
            images = layer(images)
        except Exception as error:  # networks raise errors of many types for inputs of other shapes
            raise _uncuttable(model) from error
        finally:
            for hook in hooks:
                hook.remove()
        costs.append(counted[0])
    if tuple(images.shape) != (2, features) or not sum(costs):
        raise _uncuttable(model)
    return costs, numbers


def choose_cut(cuts: Sequence[Cut], images: int) -> Cut:
    """The cut whose share above it is nearest to `UPPER_SHARE`, as a ratio, of those that fit `MOST_BYTES`.

    Of cuts with the same share above them, the one of fewest numbers; where none fits, the one of fewest numbers.
    """
    fitting = [cut for cut in cuts if 2 * cut.numbers * images <= MOST_BYTES and cut.upper_share > 0]
    if not fitting:
        return min(cuts, key=lambda cut: cut.numbers)
    return min(fitting, key=lambda cut: (abs(log(cut.upper_share / UPPER_SHARE)), cut.numbers))


def split_trunk(model: str, trunk: nn.Module, side: int, images: int) -> tuple[nn.Sequential, nn.Sequential]:
    """Lower and upper part of `trunk`, whose modules they share, for a data set of so many images of `side` pixels.

    Raises `UserError` where the trunk is no sequence of its layers.
    """
    cut = choose_cut(find_cuts(model, side), images)
    layers = trunk_layers(trunk)
    check_layers(model, trunk, layers, side)
    return nn.Sequential(*layers[: cut.index]), nn.Sequential(*layers[cut.index :])


@torch.no_grad()
def check_layers(model: str, trunk: nn.Module, layers: list[nn.Module], side: int) -> None:
    """Raise `UserError` unless `layers`, one after another, give just what `trunk` gives of an image."""
    training = {module: module.training for module in trunk.modules()}
    trunk.eval()
    example = next(trunk.parameters())
    if not example.is_meta:
        image = torch.linspace(-1, 1, 3 * side**2, device=example.device).view(1, 3, side, side)
        same = torch.equal(nn.Sequential(*layers)(image), trunk(image))
        for module, mode in training.items():
            module.training = mode
        if not same:
            raise _uncuttable(model)


def _uncuttable(model: str) -> UserError:
    return UserError(f"{model}: is no plain sequence of layers, so freeze lower cannot cut it; {REMEDY}")
