"""Builds a classifier for a configuration and a data set."""

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import nn

from trainables.config import TrialConfig
from trainables.custom.custom_code import is_custom
from trainables.custom.own_network import build_own
from trainables.data.store.data_summary import DataSummary
from trainables.export.model_info import InputSpec
from trainables.models import pretrained
from trainables.models.classifier import Classifier, Network, linear_head
from trainables.models.freezing.frozen_modules import frozen_modules, kept_norms
from trainables.models.model_registry import MODELS
from trainables.models.preprocess import Preprocess

LARGEST_FROM_SCRATCH = 128
"""Input side, in pixels, that a network trained from scratch chooses at most."""
Backbones = Callable[[str], tuple[nn.Module, int, InputSpec]]
"""A backbone's name -> the backbone without its head, its number of features, what input it was trained on."""


def build_model(config: TrialConfig, data: DataSummary) -> Classifier:
    """Classifier for `config` on images of `data`; a network from scratch draws its weights from torch's generator."""
    return _build(config, data, pretrained.shared_backbone if config.freeze == "all" else pretrained.load_backbone)


def build_untrained(config: TrialConfig, data: DataSummary) -> Classifier:
    """The same classifier with random weights in its backbone too, for measurements that depend on shapes alone."""
    return _build(config, data, pretrained.empty_backbone)


def _build(config: TrialConfig, data: DataSummary, load: Backbones) -> Classifier:
    if config.model in MODELS or is_custom(config.model):
        return _build_scratch(config, data, scratch_input(config, data))
    with torch.random.fork_rng(devices=[]):  # the head's weights must not depend on whether the backbone was at hand
        trunk, features, native = load(config.model)
    side = pretrained.input_side(config, trunk, features, native.side, data.side)
    spec = _with_fit(native.model_copy(update={"side": side}), config, data)
    model = _assemble(config, data, spec, trunk, features)
    model.network.freeze(frozen_modules(config, trunk, side, data.train + data.val), kept_norms(config, trunk))
    return model


def scratch_input(config: TrialConfig, data: DataSummary) -> InputSpec:
    """Input of a network trained from scratch."""
    side = config.input_size or min(data.side, LARGEST_FROM_SCRATCH)
    return _with_fit(InputSpec(side=side, channels=data.channels, mean=data.mean, std=data.std), config, data)


def _build_scratch(config: TrialConfig, data: DataSummary, spec: InputSpec) -> Classifier:
    if is_custom(config.model):  # it has its own last layer
        network = Network(build_own(config, data, spec), nn.Identity(), mirrored=config.tta)
        return Classifier(Preprocess(spec), network)
    return _assemble(config, data, spec, *MODELS[config.model].build(config, data.channels, spec.side))


def _with_fit(spec: InputSpec, config: TrialConfig, data: DataSummary) -> InputSpec:
    """`spec`, with the way in which images of `data` become its square, if that is chosen."""
    if not data.fit_matters:
        return spec
    fill = tuple(round(255 * mean) for mean in data.mean) if config.fit == "pad" else ()
    return spec.model_copy(update={"fit": config.fit, "fill": fill})


@lru_cache(maxsize=64)
def _check_input(model: str, input_size: int, stored: int) -> None:
    trunk, features, native = pretrained.shape_only_backbone(model)
    config = TrialConfig(model=model, input_size=input_size)
    pretrained.input_side(config, trunk, features, native.side, stored)


def check_input(config: TrialConfig, data: DataSummary) -> None:
    """Raise `UserError` for an input size that the backbone of `config` does not take; needs no weights."""
    _check_input(config.model, config.input_size, data.side)


def build_head(config: TrialConfig, data: DataSummary, spec: InputSpec, features: int) -> Classifier:
    """Classifier that takes features of its frozen backbone as input; its head is as `build_model` makes it."""
    head = linear_head(features, len(data.classes), config.dropout)
    return Classifier(Preprocess(spec), Network(nn.Identity(), head))


def rebuild_model(config: TrialConfig, data: DataSummary, spec: InputSpec) -> Classifier:
    """Classifier of the same shape with random weights, for a caller that loads others into it."""
    if config.model in MODELS or is_custom(config.model):
        return _build_scratch(config, data, spec)
    trunk, features, _native = pretrained.empty_backbone(config.model)
    return _assemble(config, data, spec, trunk, features)


def _assemble(config: TrialConfig, data: DataSummary, spec: InputSpec, trunk: nn.Module, features: int) -> Classifier:
    head = linear_head(features, len(data.classes), config.dropout)
    return Classifier(Preprocess(spec), Network(trunk, head, mirrored=config.tta))
