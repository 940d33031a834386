"""Torchvision's image classifiers as backbones: their names, and their networks without the head.

Torchvision's own loading would run what a pickle says; here `torch.load` reads tensors and nothing else.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from trainables.common.errors import UserError
from trainables.export.model_info import InputSpec

TORCHVISION = "torchvision/"
"""How these models' names begin."""
OTHER_KINDS = {
    "detection": "an object detector",
    "segmentation": "a segmentation network",
    "optical_flow": "an optical flow network",
    "video": "a video network",
    "quantization": "a quantized network, which cannot be trained",
}
"""Subpackages of `torchvision.models` that hold no image classifiers, and what their networks are."""
AUXILIARY = {"googlenet": ("aux1", "aux2"), "inception_v3": ("AuxLogits",)}
"""Heads in the middle of networks, which only made their own training easier: they are left out."""


def classifier_names() -> list[str]:
    """Names of torchvision's image classifiers, with the prefix `torchvision/`."""
    import torchvision

    return [TORCHVISION + name for name in torchvision.models.list_models(module=torchvision.models)]


def other_kind(name: str) -> str:
    """Kind of the network `torchvision/NAME` if it is no image classifier; empty for classifiers and unknown names."""
    from torchvision.models import get_model_builder, list_models

    bare = name.removeprefix(TORCHVISION)
    if bare not in list_models():
        return ""
    package = get_model_builder(bare).__module__.split(".")
    return next((OTHER_KINDS[part] for part in package if part in OTHER_KINDS), "")


def open_torchvision(name: str, pretrained: bool) -> tuple[nn.Module, int, InputSpec]:
    """Network `torchvision/NAME` without its head; its number of features; what input it was trained on.

    Raises OSError or RuntimeError where the weights are neither cached nor downloadable, `UserError` where the network
    ends in no layer that gives the classes.
    """
    from torchvision.models import get_model, get_model_weights

    bare = name.removeprefix(TORCHVISION)
    weights: Any = get_model_weights(bare).DEFAULT
    with tensors_only():
        whole: Any = get_model(bare, weights="DEFAULT" if pretrained else None, **_options(bare, weights, pretrained))
    if bare in AUXILIARY:
        whole.aux_logits = False
        for head in AUXILIARY[bare]:
            setattr(whole, head, None)
    network, features = without_head(whole, len(weights.meta["categories"]))
    wanted: Any = weights.transforms()
    crop, resize = wanted.crop_size[0], wanted.resize_size[0]
    spec = InputSpec(
        side=crop, channels=3, mean=tuple(wanted.mean), std=tuple(wanted.std), crop=crop / resize,
        interpolation=wanted.interpolation.value,
    )  # fmt: skip
    return network, features, spec


def native_torchvision_input(name: str) -> tuple[int, float]:
    """Side that the network was trained on, in pixels, and the share of the shorter side of an image that it is."""
    from torchvision.models import get_model_weights

    weights: Any = get_model_weights(name.removeprefix(TORCHVISION)).DEFAULT
    wanted: Any = weights.transforms()
    return int(wanted.crop_size[0]), wanted.crop_size[0] / wanted.resize_size[0]


def _options(name: str, weights: Any, pretrained: bool) -> dict[str, Any]:
    """Options that torchvision sets itself when it loads weights, for the same network without weights."""
    if pretrained:
        return {}
    if name in AUXILIARY:
        return {"transform_input": True, "aux_logits": False, "init_weights": False}
    return {"image_size": weights.meta["min_size"][0]} if name.startswith("vit_") else {}


def without_head(network: nn.Module, classes: int) -> tuple[nn.Module, int]:
    """Replace the layer that gives the `classes` by an identity; returns the network and that layer's input features.

    That is the last linear layer or, as in SqueezeNet, the last 1x1 convolution, whose maps are averaged afterwards: a
    linear layer on the averages is the same function. Raises `UserError` where there is no such layer.
    """
    layers = [(name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    name, head = layers[-1] if layers else ("", nn.Identity())
    if isinstance(head, nn.Linear) and head.out_features == classes:
        features = head.in_features
    elif isinstance(head, nn.Conv2d) and head.out_channels == classes and head.kernel_size == (1, 1):
        features = head.in_channels
    else:
        raise UserError(f"{type(network).__name__}: ends in no layer that gives its {classes} classes")
    network.set_submodule(name, nn.Identity())
    return network, features


WEIGHTS_ONLY_VARIABLE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
"""Environment variable that makes every `torch.load` use `weights_only=True`."""


@contextmanager
def tensors_only() -> Iterator[None]:
    """Let `torch.load` read tensors only in this block; raises RuntimeError for a file that holds code."""
    before = os.environ.get(WEIGHTS_ONLY_VARIABLE)
    os.environ[WEIGHTS_ONLY_VARIABLE] = "1"
    try:
        yield
    except Exception as error:
        if type(error).__name__ == "UnpicklingError":
            raise RuntimeError(f"holds more than tensors: {str(error).splitlines()[0]}") from error
        raise
    finally:
        os.environ.pop(WEIGHTS_ONLY_VARIABLE)
        if before is not None:
            os.environ[WEIGHTS_ONLY_VARIABLE] = before
