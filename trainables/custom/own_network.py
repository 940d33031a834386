"""Networks of the user's own: built for a configuration, and checked once before a search."""

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parameter import is_lazy

from trainables.common.errors import UserError
from trainables.config import TrialConfig
from trainables.custom.custom_code import is_custom
from trainables.data.store.data_summary import DataSummary
from trainables.export.model_info import InputSpec
from trainables.models.model_registry import MODELS, OwnModel

CHECKED_BATCHES = (1, 2, 5)
"""Sizes of the batches that a network has to answer in evaluation mode."""


class OwnNetwork(nn.Module):
    """A whole network of the user's own, which sees and keeps tensors in PyTorch's usual memory order.

    Others are trained in the order of `torch.channels_last`, in which `view` fails.
    """

    def __init__(self, module: nn.Module) -> None:
        """Wrap the module that a user's function returned."""
        super().__init__()
        self.module = module

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits (b, classes) of preprocessed images (b, channels, side, side)."""
        logits: Tensor = self.module(inputs.contiguous())
        return logits

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "OwnNetwork":
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch lacks its type
        for tensor in (*self.parameters(), *self.buffers()):
            tensor.data = tensor.data.contiguous()
        return self


def build_own(config: TrialConfig, data: DataSummary, spec: InputSpec) -> OwnNetwork:
    """The network that the user's function makes for `config`, with random weights; raises what it raises.

    The function gets the summary of the data with height and width, and so `side`, of the network's input.
    """
    entry = MODELS.get(config.model)
    if not isinstance(entry, OwnModel) or entry.function is None:
        raise ValueError(f"{config.model!r} is a network of the user's own, whose code is not loaded here")
    seen = data.model_copy(update={"height": spec.side, "width": spec.side, "channels": spec.channels})
    built = entry.function(seen, **own_values(entry, config.custom))
    if not isinstance(built, nn.Module):
        raise TypeError(f"returned {type(built).__name__}; expected a torch.nn.Module")
    network = OwnNetwork(built)
    if any(is_lazy(tensor) for tensor in (*built.parameters(), *built.buffers())):
        with torch.no_grad():  # lazy layers get their shapes from the first images that they see
            network.eval()(torch.zeros(1, spec.channels, spec.side, spec.side))
        network.train()
    return network


def own_values(entry: OwnModel, given: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a network's own hyperparameters: those given, else its defaults."""
    return {name: given.get(name, entry.own_defaults[name]) for name in entry.own}


def is_unknown(name: str) -> bool:
    """Whether a model is one of the user's own whose code this process has not loaded."""
    return is_custom(name) and getattr(MODELS.get(name), "function", None) is None


def check_own_network(config: TrialConfig, data: DataSummary, spec: InputSpec, workers: int) -> None:
    """Build a network once, and raise `UserError`, one line with its file and function, where it cannot be trained."""
    entry = MODELS[config.model]
    place = f"--models {entry.builder!r}"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            network = build_own(config, data, spec)
            shape = (spec.channels, spec.side, spec.side)
            fault = _fault_of_state(network) or _fault_of_answers(network, shape, len(data.classes))
            fault = fault or _fault_of_training(network, shape, len(data.classes), workers)
        except Exception as error:  # the user's network may raise anything
            said = " ".join(str(error).split())[:500]
            values = ", ".join(f"{name}={value}" for name, value in own_values_of(config).items())
            raise UserError(
                f"{place}: with {values or 'no hyperparameters'}, side {spec.side}: {type(error).__name__}: {said}"
            ) from error
    if fault:
        raise UserError(f"{place}: {fault}")


def own_values_of(config: TrialConfig) -> dict[str, Any]:
    """The own hyperparameters of a configuration's network."""
    entry = MODELS.get(config.model)
    return own_values(entry, config.custom) if isinstance(entry, OwnModel) else {}


def _fault_of_state(network: OwnNetwork) -> str:
    if not any(parameter.requires_grad for parameter in network.parameters()):
        return "the network has no parameter that can be trained"
    for name, tensor in network.module.state_dict().items():
        if not isinstance(tensor, Tensor):
            return f"its state has {name!r}, a {type(tensor).__name__}; a checkpoint keeps tensors only"
    copy.deepcopy(network)  # the average of its weights is a copy
    return ""


def _fault_of_answers(network: OwnNetwork, shape: tuple[int, int, int], classes: int) -> str:
    network.eval()
    images = torch.randn(max(CHECKED_BATCHES), *shape)
    with torch.no_grad():
        whole = network(images)
        if not isinstance(whole, Tensor):
            return f"the network returns a {type(whole).__name__}; expected logits, a tensor (batch, {classes})"
        for size in CHECKED_BATCHES:
            found = tuple(network(images[:size]).shape)
            if found != (size, classes):
                return (
                    f"the network returns shape {found} for images {(size, *shape)}; "
                    f"expected logits ({size}, {classes}), one for each class"
                )
    if not whole.is_floating_point():
        return f"the network returns {whole.dtype}; expected logits, floating point numbers"
    return "" if bool(torch.isfinite(whole).all()) else "the network returns numbers that are not finite"


def _fault_of_training(network: OwnNetwork, shape: tuple[int, int, int], classes: int, workers: int) -> str:
    network.train()
    loss = functional.cross_entropy(network(torch.randn(8, *shape)).float(), torch.arange(8) % classes)
    if not math.isfinite(loss.item()):
        return "the network's loss is not finite in training"
    loss.backward()  # type: ignore[no-untyped-call]  # torch lacks its type
    named = network.module.named_parameters()
    unused = [name for name, parameter in named if parameter.requires_grad and parameter.grad is None]
    if unused and workers > 1:
        return (
            f"{len(unused)} of its parameters get no gradient, such as {unused[0]!r}; with --workers-per-trial "
            f"{workers} each must: use them in forward, or leave them out"
        )
    return ""
