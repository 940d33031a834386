"""Pretrained backbones by their timm name, or as `torchvision/NAME`."""

from functools import lru_cache
from typing import Any

from torch import nn

from trainables.card import InputSpec
from trainables.config import TrialConfig
from trainables.data.summary import DataSummary
from trainables.models import lite0
from trainables.models.tensors_only import tensors_only

TORCHVISION = "torchvision/"
SMALLEST_SIDE = 64
"""Pixels below which an ImageNet backbone's map shrinks to nothing useful."""
STEM_SHARE = 0.25
"""Of the backbone's parameter tensors, first ones first, that `freeze=stem` keeps."""


def is_known(name: str) -> bool:
    """Whether timm or torchvision has this architecture."""
    if name.startswith(TORCHVISION):
        from torchvision.models import list_models

        return name.removeprefix(TORCHVISION) in list_models()
    from timm import is_model

    return bool(is_model(name))


def known_names() -> list[str]:
    """Of all architectures that timm or torchvision has."""
    import timm
    from torchvision.models import list_models

    return [*timm.list_models(), *(TORCHVISION + name for name in list_models())]


@lru_cache(maxsize=2)
def shared_backbone(name: str) -> tuple[nn.Module, int, InputSpec]:
    """`load_backbone`, one module for all callers: for backbones that stay frozen, whose weights nobody changes."""
    return load_backbone(name)


def load_backbone(name: str) -> tuple[nn.Module, int, InputSpec]:
    """Backbone without its head, with ImageNet weights; its number of features; what input it was trained on.

    Raises OSError (or a subclass) or RuntimeError where the weights are neither cached nor downloadable.
    """
    return _open(name, pretrained=True)


def empty_backbone(name: str) -> tuple[nn.Module, int, InputSpec]:
    """The same without its weights, which are about to be loaded, or do not matter."""
    return _open(name, pretrained=False)


def _open(name: str, pretrained: bool) -> tuple[nn.Module, int, InputSpec]:
    if name.startswith(TORCHVISION):
        return _open_torchvision(name.removeprefix(TORCHVISION), pretrained)
    return _open_timm(name, pretrained)


def _open_timm(name: str, pretrained: bool) -> tuple[nn.Module, int, InputSpec]:
    import timm
    from timm.data.config import resolve_data_config

    if name == lite0.NAME:
        network = timm.create_model(name, pretrained=False)
        if pretrained:
            lite0.load_imagenet_weights(network)
        network.reset_classifier(0)  # type: ignore[operator]  # timm gives every network this method
        # The package's weights want 0.5 here; torchvision's usual mean and std cost them 11 points.
        return network, _timm_features(network), _spec(224, (0.5,) * 3, (0.5,) * 3, 0.875, "bicubic")
    network = timm.create_model(name, pretrained=pretrained, num_classes=0)
    wanted = resolve_data_config(network.pretrained_cfg)  # type: ignore[no-untyped-call]  # timm lacks it
    spec = _spec(wanted["input_size"][-1], wanted["mean"], wanted["std"], wanted["crop_pct"], wanted["interpolation"])
    return network, _timm_features(network), spec


def _timm_features(network: Any) -> int:
    return int(getattr(network, "head_hidden_size", None) or network.num_features)


def _open_torchvision(name: str, pretrained: bool) -> tuple[nn.Module, int, InputSpec]:
    from torchvision.models import get_model, get_model_weights

    with tensors_only():
        whole = get_model(name, weights="DEFAULT" if pretrained else None)
    network, features = _without_head(whole)
    wanted: Any = get_model_weights(name).DEFAULT.transforms()
    crop, resize = wanted.crop_size[0], wanted.resize_size[0]
    return network, features, _spec(crop, wanted.mean, wanted.std, crop / resize, wanted.interpolation.value)


def _without_head(network: nn.Module) -> tuple[nn.Module, int]:
    """Put an identity in the place of the last linear layer; returns how many features came into it."""
    name, head = next((n, m) for n, m in reversed(list(network.named_modules())) if isinstance(m, nn.Linear))
    network.set_submodule(name, nn.Identity())
    return network, head.in_features


def _spec(side: int, mean: Any, std: Any, crop: float, interpolation: str) -> InputSpec:
    kind = interpolation if interpolation in {"bicubic", "bilinear"} else "bicubic"
    return InputSpec(side=side, channels=3, mean=tuple(mean), std=tuple(std), crop=crop, interpolation=kind)


def fitted_side(native: int, data: DataSummary) -> int:
    """Input side for stored images: the backbone's own for large ones, about twice the image for tiny ones."""
    return min(native, max(SMALLEST_SIDE, 2 * data.side))


def frozen_modules(config: TrialConfig, trunk: nn.Module) -> list[nn.Module]:
    """What `config.freeze` keeps: nothing, the leaf modules of the trunk's first quarter, or the trunk."""
    if config.freeze == "all":
        return [trunk]
    if config.freeze == "none":
        return []
    leaves = [m for m in trunk.modules() if list(m.parameters(recurse=False))]
    sizes = [len(list(m.parameters(recurse=False))) for m in leaves]
    budget, frozen = round(STEM_SHARE * sum(sizes)), []
    for leaf, size in zip(leaves, sizes, strict=True):
        if budget <= 0:
            break
        frozen.append(leaf)
        budget -= size
    return frozen
