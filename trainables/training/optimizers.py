"""Optimizer and learning-rate schedule of a trial; both functions of its configuration."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from trainables.config import TrialConfig
from trainables.models.classifier import Network
from trainables.training.muon import Muon
from trainables.training.unguarded_optimizers import SGD, AdamW


def make_optimizer(config: TrialConfig, network: Network, pretrained: bool) -> torch.optim.Optimizer:
    """Fused SGD or AdamW, or Muon; vectors have no weight decay, and the head of a pretrained backbone its own rate."""
    trunk_lr, head_lr = (config.backbone_lr, config.head_lr) if pretrained else (config.lr, config.lr)
    groups = [
        *_groups(network.trunk, trunk_lr, config.weight_decay, orthogonal=True),
        *_groups(network.head, head_lr, config.weight_decay, orthogonal=False),
    ]
    if config.optimizer == "sgd":
        return SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.momentum > 0, fused=True)
    if config.optimizer == "muon":
        return Muon(groups, lr=config.lr, momentum=config.momentum)
    return AdamW(groups, lr=config.lr, fused=True)


def _groups(module: nn.Module, lr: float, weight_decay: float, orthogonal: bool) -> Iterable[dict[str, Any]]:
    """Parameters with decay, then those without; `orthogonal` marks the first as Muon's, which it is alone to read."""
    learnt = [p for p in module.parameters() if p.requires_grad]
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
