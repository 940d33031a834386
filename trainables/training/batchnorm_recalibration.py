"""Batch-norm recalibration: statistics are computed again before weights are evaluated (arXiv:1803.05407, section 3.2).

Running statistics are those of the raw weights of the steps before: wrong for averaged weights, and late for raw ones
that a high learning rate moves fast. At a first rung, late statistics hid more of a trial's quality than the noise of
the weights did (bench_anytime.json). Not `torch.optim.swa_utils.update_bn`, which resets frozen norms as well, and
draws dropout.
"""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainables.training.evaluation import EvaluationInputs, forward
from trainables.workers.worker_context import ProcessGroup

STATISTICS_IMAGES = 256
"""Training images from which statistics are computed; each gives as many values as a map has pixels."""


@torch.no_grad()
def recalibrate(
    network: nn.Module, inputs: EvaluationInputs, batches: Iterable[NDArray[np.int64]], group: ProcessGroup
) -> None:
    """Set the statistics of each batch norm that learns to their means over `batches` (rows), then evaluation mode.

    Each worker takes its share of each batch; norms that see the whole batch in training do so here.
    """
    network.train()  # which leaves in evaluation mode what is frozen
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm) and module.training]
    network.eval()
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean
        norm.train()
    for rows in batches if norms else ():
        forward(network, inputs.of(rows[group.rank :: group.world_size]))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
