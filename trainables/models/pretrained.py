"""Pretrained backbones by their timm name, or as `torchvision/NAME`."""

from functools import lru_cache

import torch
from torch import nn

from trainables.common.errors import UserError, suggest
from trainables.config import TrialConfig
from trainables.export.model_info import InputSpec
from trainables.models.efficientnet_lite import is_packaged
from trainables.models.tensor_shapes import find_side, preferred_side
from trainables.models.timm_models import (
    explain_unavailable_timm,
    is_timm,
    native_timm_input,
    open_timm,
    timm_names,
)
from trainables.models.torchvision_models import (
    TORCHVISION,
    classifier_names,
    native_torchvision_input,
    open_torchvision,
    other_kind,
)


def is_known(name: str) -> bool:
    """Whether timm or torchvision has an image classifier of this name."""
    return name in classifier_names() if name.startswith(TORCHVISION) else is_timm(name)


def explain_unavailable(name: str) -> str:
    """Why a name that looks familiar is no pretrained image classifier, and what to write instead; else empty.

    Nothing is downloaded: timm and torchvision list their models and weights themselves.
    """
    if not name.startswith(TORCHVISION):
        return explain_unavailable_timm(name)
    trained = name.replace("/quantized_", "/")  # what a quantized network was made of
    hint = suggest(trained, classifier_names()) if trained != name else ""
    return f"is no image classifier, but {kind}{hint}" if (kind := other_kind(name)) else ""


def backbone_names() -> list[str]:
    """Names of all architectures of timm and torchvision."""
    return [*timm_names(), *classifier_names()]


@lru_cache(maxsize=2)
def shared_backbone(name: str) -> tuple[nn.Module, int, InputSpec]:
    """`load_backbone`, with one module for all callers, for backbones that stay frozen."""
    return load_backbone(name)


def load_backbone(name: str) -> tuple[nn.Module, int, InputSpec]:
    """Backbone without its head, with ImageNet weights; its number of features; what input it was trained on.

    Raises OSError (or a subclass) or RuntimeError where the weights are neither cached nor downloadable.
    """
    return _open(name, pretrained=True)


def empty_backbone(name: str) -> tuple[nn.Module, int, InputSpec]:
    """Backbone with random weights, for callers that load others or need none."""
    return _open(name, pretrained=False)


def shape_only_backbone(name: str) -> tuple[nn.Module, int, InputSpec]:
    """Backbone for questions about shapes, without memory for its weights where torch can build it so."""
    try:
        with torch.device("meta"):
            return empty_backbone(name)
    except NotImplementedError:  # a network that computes with numbers while it is built, as RegNet does
        return empty_backbone(name)


def native_input(name: str) -> tuple[int, float]:
    """Side that the backbone was trained on, in pixels, and the share of an image's shorter side that it is.

    Nothing is downloaded; side 0 where it is not known.
    """
    return native_torchvision_input(name) if name.startswith(TORCHVISION) else native_timm_input(name)


def _open(name: str, pretrained: bool) -> tuple[nn.Module, int, InputSpec]:
    return open_torchvision(name, pretrained) if name.startswith(TORCHVISION) else open_timm(name, pretrained)


_SIDES: dict[tuple[str, int], int] = {}
"""What `find_side` found in this process, by the backbone's name and the side wanted."""


def input_side(config: TrialConfig, trunk: nn.Module, features: int, native: int, stored: int) -> int:
    """Side of the network's input: as configured, or one that suits `stored` pixels and that the backbone takes.

    Raises `UserError` for a configured side that the backbone does not take, and for a network that gives no
    features (b, `features`) of square images.
    """
    wanted = config.input_size or preferred_side(native, stored)
    if is_packaged(config.model):  # any size: nothing to find out
        return wanted
    key = (config.model, wanted)
    if key not in _SIDES:
        _SIDES[key] = find_side(trunk, features, wanted, native)
    if not _SIDES[key]:
        raise UserError(f"{config.model}: gives no features of square images of {wanted} to {native} pixels")
    if config.input_size not in {0, _SIDES[key]}:
        larger = f"; the next larger size that it takes is {_SIDES[key]}" if _SIDES[key] > wanted else ""
        raise UserError(
            f"{config.model}: takes no images of input_size {wanted} pixels{larger or f'; it was made for {native}'}"
        )
    return _SIDES[key]
