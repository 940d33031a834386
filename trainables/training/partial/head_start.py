"""The head of a pretrained backbone at the first step: random, or the logistic regression on its frozen features.

Fine-tuning that begins with a random head sends large gradients into good features at its first steps; a fitted head
leaves them where they are at first (linear probing, then fine-tuning: arXiv:2202.10054).
"""

from hashlib import blake2b

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trainables.config import TrialConfig
from trainables.models.model_registry import is_pretrained
from trainables.training.closed_form.closed_form_run import linear_layer
from trainables.training.closed_form.fit_head import fit_head
from trainables.training.closed_form.logistic_regression import HeadWeights
from trainables.workers.worker_context import WorkerContext

_HEADS: dict[tuple[str, ...], HeadWeights] = {}
"""Fitted heads of this process's data sets: trials that differ in how they are fine-tuned begin alike."""


def begins_as_probe(config: TrialConfig) -> bool:
    """Whether the head of `config` begins as the logistic regression on frozen features."""
    return config.head_init == "probe" and is_pretrained(config.model)


@torch.no_grad()
def begin_as_probe(head: nn.Module, config: TrialConfig, rows: NDArray[np.int64], context: WorkerContext) -> None:
    """Set the head's weights, on all workers, to those that rank 0 fits to the images at `rows` of the store."""
    linear, group = linear_layer(head), context.group
    linear.weight.zero_()
    linear.bias.zero_()
    if group.rank == 0:
        found = _fitted(config, rows, context)
        linear.weight.copy_(found.weight)
        linear.bias.copy_(found.bias)
    group.sum(linear.weight)  # the others hold zeros
    group.sum(linear.bias)


def _fitted(config: TrialConfig, rows: NDArray[np.int64], context: WorkerContext) -> HeadWeights:
    store, device = context.store, context.group.device
    chosen = (config.model, str(config.input_size), config.fit, str(config.tta), config.balance)
    key = (store.summary.fingerprint, blake2b(rows.tobytes(), digest_size=16).hexdigest(), *chosen)
    if key not in _HEADS:
        _HEADS[key] = fit_head(config, store, rows, device, context.on_step)
    return _HEADS[key]
