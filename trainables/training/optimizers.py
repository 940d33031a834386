"""Optimizer and learning-rate schedule of a trial, both functions of its configuration.

AdamW and SGD are torch's without torch.compile's guards around their methods. The guards import torch's compiler when
an optimizer is first made: 1.4 CPU seconds of every worker's start, and no worker compiles.

Muon is Keller Jordan's method (kellerjordan.github.io/posts/muon, and cifar10-airbench's airbench94_muon), with steps
scaled to the size of AdamW's (arXiv:2502.16982, section 2.2), so that one range of `lr` serves both. It is not torch's,
which takes 2-D parameters only, nor timm's: both always iterate in bf16, timm's step took 14 % longer on a CPU, and its
AdamW for the other parameters is not fused.
"""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from trainables.config import TrialConfig
from trainables.models.classifier import Network
from trainables.models.freezing.trunk_cut import trunk_layers
from trainables.training.device import uses_bf16

LAYER_DECAY = 0.8
"""Of the learning rate from each layer of a backbone to the one before it, where its last layers are fine-tuned."""
GUARDED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
"""Methods of optimizers that torch.compile guards, besides `step`."""
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic that takes singular values from 0..1 to near 1; from Jordan's page."""
ITERATIONS = 5
"""Of Newton and Schulz's method."""


def _unguarded(optimizer: type[torch.optim.Optimizer]) -> dict[str, object]:
    """The guarded methods without their guards; `step` keeps its `no_grad`, which is part of its guard."""
    inner = {name: getattr(getattr(optimizer, name), "__wrapped__", getattr(optimizer, name)) for name in GUARDED}
    return inner | {"step": torch.no_grad()(getattr(optimizer.step, "__wrapped__", optimizer.step))}


class AdamW(torch.optim.AdamW):
    """`torch.optim.AdamW` (arXiv:1711.05101)."""

    locals().update(_unguarded(torch.optim.AdamW))


class SGD(torch.optim.SGD):
    """`torch.optim.SGD`, with Nesterov's momentum if asked for."""

    locals().update(_unguarded(torch.optim.SGD))


class Muon(AdamW):
    """Momentum whose direction is orthogonalize, for the groups marked `orthogonal`; fused AdamW for the others."""

    def __init__(self, groups: list[dict[str, Any]], lr: float, momentum: float) -> None:
        """Take groups that each have a flag `orthogonal`; `momentum` is that of Muon, in Nesterov's form."""
        super().__init__(groups, lr=lr, fused=True)
        self.momentum = momentum

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Take one step, which clears the gradients of the orthogonal groups."""
        for group in self.param_groups:
            if group["orthogonal"]:
                for param in group["params"]:
                    self._step_orthogonal(param, group["lr"], group["weight_decay"])
                    param.grad = None  # so that AdamW finds nothing left to do
        return super().step(closure)

    def _step_orthogonal(self, param: Tensor, lr: float, weight_decay: float) -> None:
        if param.grad is None:
            return
        state = self.state[param]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(param)
            state["step"] = torch.zeros(())  # AdamW, when it loads a state, looks for one everywhere
        state["momentum"].mul_(self.momentum).add_(param.grad)
        direction = orthogonalize(param.grad.add(state["momentum"], alpha=self.momentum).flatten(1))
        # An orthogonal matrix's numbers have the root mean square 1 / sqrt(its longer side); AdamW's steps, about 1.
        param.mul_(1 - lr * weight_decay)
        param.add_(direction.view(param.shape), alpha=-lr * math.sqrt(max(direction.shape)))


def orthogonalize(matrix: Tensor) -> Tensor:
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


def make_optimizer(config: TrialConfig, network: Network, pretrained: bool) -> torch.optim.Optimizer:
    """Fused SGD or AdamW, or Muon; vectors have no weight decay, and the head of a pretrained backbone its own rate.

    Where a backbone is fine-tuned above a cut, or from a probe, its later layers have the larger rates.
    """
    trunk_lr, head_lr = (config.backbone_lr, config.head_lr) if pretrained else (config.lr, config.lr)
    decays = pretrained and (config.freeze == "lower" or config.head_init == "probe")
    last = list(network.last_layer.parameters())
    known = {id(parameter) for parameter in last}
    trunk = [parameter for parameter in network.trunk.parameters() if id(parameter) not in known]
    parts = _rates(network.trunk, trunk_lr) if decays else [(trunk, trunk_lr)]
    groups = [
        *(group for part, lr in parts for group in _groups(part, lr, config.weight_decay, orthogonal=True)),
        *_groups(last, head_lr, config.weight_decay, orthogonal=False),
    ]
    if config.optimizer == "sgd":
        return SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.momentum > 0, fused=True)
    if config.optimizer == "muon":
        return Muon(groups, lr=config.lr, momentum=config.momentum)
    return AdamW(groups, lr=config.lr, fused=True)


def _rates(trunk: nn.Module, lr: float) -> Iterable[tuple[list[nn.Parameter], float]]:
    """The trunk's layers that learn, the last first, each with its rate; last, what is in no layer, as the first one.

    Later layers are about the classes of the photographs that the trunk was trained on, and change more; the rate falls
    by `LAYER_DECAY` from each layer to the one before it (arXiv:1801.06146, section 3.2; arXiv:2003.10555).
    """
    layers = [[p for p in layer.parameters() if p.requires_grad] for layer in trunk_layers(trunk)]
    known = {id(p) for layer in layers for p in layer}
    others = [p for p in trunk.parameters() if id(p) not in known]
    for depth, layer in enumerate([*(layer for layer in reversed(layers) if layer), others]):
        yield layer, lr * LAYER_DECAY**depth


def _groups(
    parameters: Iterable[nn.Parameter], lr: float, weight_decay: float, orthogonal: bool
) -> Iterable[dict[str, Any]]:
    """Parameters with decay, then those without; `orthogonal` marks the first as Muon's; other optimizers ignore it."""
    learnt = [p for p in parameters if p.requires_grad]
    for params, decay, turned in (
        ([p for p in learnt if p.ndim > 1], weight_decay, orthogonal),
        ([p for p in learnt if p.ndim <= 1], 0.0, False),
    ):
        if params:
            yield {"params": params, "lr": lr, "peak_lr": lr, "weight_decay": decay, "orthogonal": turned}


def schedule(step: int, steps: int, warmup: float) -> float:
    """Factor on the peak rate at `step` of `steps`: up in a line for the share `warmup`, then in a line down to zero.

    A line is at least as good as a cosine (arXiv:2310.07831); all trials of a search fall alike, so that rungs compare.
    """
    warm = warmup * steps
    return (step + 1) / (warm + 1) if step < warm else 1.0 - (step - warm) / max(1.0, steps - warm)


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set every group's learning rate to `factor` of its peak."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak_lr"] * factor
