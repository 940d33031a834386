"""Shapes of a network's tensors, found without memory for its weights."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode


class _EmptyOnMeta(TorchFunctionMode):
    """Weights, which layers make by `torch.empty`, are on torch's meta device, without memory.

    Numbers that a network computes with while it is built, as RegNet does, stay real.
    """

    def __torch_function__(
        self,
        function: Callable[..., Any],
        _types: Sequence[type],
        args: Any = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = dict(kwargs or {})
        if function is torch.empty and given.get("device") is None:
            given["device"] = "meta"
        return function(*args, **given)


def shapes_of(build: Callable[[], nn.Module]) -> dict[str, tuple[int, ...]]:
    """Shape of each tensor in the state of the network that `build` makes; raises what that raises."""
    with _EmptyOnMeta():
        model = build()
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
