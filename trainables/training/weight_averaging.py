"""Averaged weights: what a network's parameters were of late, "of late" growing with the time trained.

Raw weights in mid-schedule are as far from their goal as the learning rate is high, which hides from a rung which trial
will be good; their average is near to where the rate's fall would lead, at every epoch and not at the last alone.
"""

from copy import deepcopy

import torch
from torch import Tensor, nn

POWER = 3
"""The t-th step's weights count about as t to this power: half of the average is of the last sixth of the steps."""


class WeightAveraging:
    """The averaged copy of a module (polynomial-decay averaging, arXiv:1212.1824); one kernel a step.

    A fixed decay would average the same number of steps in a short training and in a long one, with small batches and
    with large ones. Torch's `AveragedModel` walks all modules anew at every step, which cost a tenth of a small
    network's step.
    """

    def __init__(self, module: nn.Module) -> None:
        """Begin as a copy of `module`, whose tensors are then changed in place; what does not learn is shared."""
        self._values = _trained_parameters(module)
        shared = {id(parameter): parameter for parameter in module.parameters() if not parameter.requires_grad}
        self.module = deepcopy(module, shared)
        self._averages = _trained_parameters(self.module)
        self.module.requires_grad_(False)
        self._steps = 0
        self._buffers = list(zip(self.module.buffers(), module.buffers(), strict=True))

    @torch.no_grad()
    def update(self) -> None:
        """Take in the parameters as they are now."""
        self._steps += 1
        torch._foreach_lerp_(self._averages, self._values, (POWER + 1) / (self._steps + POWER))

    @torch.no_grad()
    def copy_buffers(self) -> None:
        """Take over the buffers as they are now; statistics in them are of the raw weights."""
        for average, value in self._buffers:
            average.copy_(value)

    def state_dict(self) -> dict[str, Tensor]:
        """What `load_state_dict` takes back."""
        return {"steps": torch.tensor(self._steps)} | {f"module.{k}": v for k, v in self.module.state_dict().items()}

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Go on from what `state_dict` gave."""
        self._steps = int(tensors["steps"])
        self.module.load_state_dict({k.removeprefix("module."): v for k, v in tensors.items() if k != "steps"})


def _trained_parameters(module: nn.Module) -> list[Tensor]:
    return [parameter.detach() for parameter in module.parameters() if parameter.requires_grad]
