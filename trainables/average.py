"""Averaged weights: an exponential moving average of a network's parameters and statistics, one kernel a step."""

from copy import deepcopy

import torch
from torch import Tensor, nn


class Average:
    """The averaged copy of a module.

    Early steps decay faster, as (1 + t) / (10 + t), so that the random start is forgotten in short trials. Torch's
    `AveragedModel` walks all modules anew at every step, which cost a tenth of a small network's step.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        """Begin as a copy of `module`, whose parameters and buffers are then changed in place."""
        self.module = deepcopy(module).requires_grad_(False)
        self._decay, self._steps = decay, 0
        pairs = list(zip(_tensors(self.module), _tensors(module), strict=True))
        self._averages = [average for average, _ in pairs if average.is_floating_point()]
        self._values = [value for _, value in pairs if value.is_floating_point()]
        self._counters = [(average, value) for average, value in pairs if not average.is_floating_point()]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the module as it is now."""
        share = 1.0 - min(self._decay, (1 + self._steps) / (10 + self._steps)) if self._steps else 1.0
        torch._foreach_lerp_(self._averages, self._values, share)
        for average, value in self._counters:
            average.copy_(value)
        self._steps += 1

    def state_dict(self) -> dict[str, Tensor]:
        """What `load_state_dict` takes back."""
        return {"steps": torch.tensor(self._steps)} | {f"module.{k}": v for k, v in self.module.state_dict().items()}

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Go on from what `state_dict` gave."""
        self._steps = int(tensors["steps"])
        self.module.load_state_dict({k.removeprefix("module."): v for k, v in tensors.items() if k != "steps"})


def _tensors(module: nn.Module) -> list[Tensor]:
    return [tensor.detach() for tensor in (*module.parameters(), *module.buffers())]
