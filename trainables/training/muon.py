"""Muon: momentum whose direction is orthogonalised, for convolution kernels and matrices; AdamW for all else.

Method by Keller Jordan (kellerjordan.github.io/posts/muon, and cifar10-airbench's airbench94_muon); steps are scaled to
the size of AdamW's (arXiv:2502.16982, section 2.2), so that one range of `lr` serves both. `torch.optim.Muon` takes
2-D parameters only.
"""

import math
from typing import Any

import torch
from torch import Tensor

from trainables.training.device import uses_bf16
from trainables.training.unguarded_optimizers import AdamW

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic that takes singular values from 0..1 to near 1; from Jordan's page."""
ITERATIONS = 5


class Muon(AdamW):
    """Muon for the parameter groups marked `orthogonal`, fused AdamW for the others."""

    def __init__(self, groups: list[dict[str, Any]], lr: float, momentum: float) -> None:
        """Take groups that each say whether they are `orthogonal`; `momentum` is Muon's, Nesterov's way."""
        super().__init__(groups, lr=lr, fused=True)
        self.momentum = momentum

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Take one step; uses up the gradients of the orthogonal groups."""
        for group in self.param_groups:
            if group["orthogonal"]:
                for param in group["params"]:
                    self._turn(param, group["lr"], group["weight_decay"])
                    param.grad = None  # so that AdamW finds nothing left to do
        return super().step(closure)

    def _turn(self, param: Tensor, lr: float, weight_decay: float) -> None:
        if param.grad is None:
            return
        state = self.state[param]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(param)
            state["step"] = torch.zeros(())  # AdamW, when it loads a state, looks for one everywhere
        state["momentum"].mul_(self.momentum).add_(param.grad)
        direction = orthogonalised(param.grad.add(state["momentum"], alpha=self.momentum).flatten(1))
        # An orthogonal matrix's numbers have the root mean square 1 / sqrt(its longer side); AdamW's steps, about 1.
        param.mul_(1 - lr * weight_decay)
        param.add_(direction.view(param.shape), alpha=-lr * math.sqrt(max(direction.shape)))


def orthogonalised(matrix: Tensor) -> Tensor:
    """The nearest matrix whose singular values are all near 1 (0.7 to 1.2), by Newton and Schulz's iteration."""
    a, b, c = COEFFICIENTS
    x: Tensor = matrix.to(torch.bfloat16 if uses_bf16(matrix.device) else torch.float32)
    x = x / (x.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)  # a x + (b g + c g g) x
    x = x.T if tall else x
    return x.to(matrix.dtype)
