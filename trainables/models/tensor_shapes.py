"""Shapes of tensors without memory for weights: which input sizes a backbone accepts, and shapes of a state.

Some networks accept any size above a minimum (Inception: 75 pixels), some only the one that they were trained at
(vision transformers), some only multiples of a window.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

SMALLEST_SIDE = 64
"""Pixels below which an ImageNet backbone's map shrinks to nothing useful."""

NATIVE_SHARE = 0.9
"""Share of the side that a backbone was trained at from which on that side itself is used."""


def preferred_side(native: int, stored: int) -> int:
    """Input side for images of `stored` pixels: the backbone's own for large ones, about twice that for tiny ones."""
    return min(native, max(SMALLEST_SIDE, 2 * stored))


def accepts_side(trunk: nn.Module, features: int, side: int) -> bool:
    """Whether `trunk` gives (b, features) for images (b, 3, side, side); its weights do not change."""
    weights = {**dict(trunk.named_parameters()), **dict(trunk.named_buffers())}
    shapes: dict[str, Tensor] = {name: torch.empty_like(tensor, device="meta") for name, tensor in weights.items()}
    modes = {module: module.training for module in trunk.modules()}
    trunk.eval()
    try:
        with torch.no_grad():
            found = functional_call(trunk, shapes, (torch.empty(2, 3, side, side, device="meta"),))
    except Exception:  # networks raise errors of many types for a size that they do not accept
        return False
    finally:
        for module, mode in modes.items():
            module.training = mode
    return isinstance(found, Tensor) and tuple(found.shape) == (2, features)


def find_side(trunk: nn.Module, features: int, wanted: int, native: int) -> int:
    """`wanted` if the trunk accepts it, else an accepted one up to `native`, found by bisection; 0 if there is none."""
    if accepts_side(trunk, features, wanted):
        return wanted
    if not accepts_side(trunk, features, native):
        return 0
    low, high = wanted, native
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if accepts_side(trunk, features, middle) else (middle, high)
    return high if high < NATIVE_SHARE * native else native


class _EmptyOnMeta(TorchFunctionMode):
    """Puts weights, which layers make by `torch.empty`, on torch's meta device, where they take no memory.

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
    """Shape of each tensor in the state of the network that `build` makes; raises the errors of `build`."""
    with _EmptyOnMeta():
        model = build()
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
