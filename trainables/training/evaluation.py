"""Evaluation: sums over counts, reduced over the gang once, divided once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from trainables.data.loading.square_maker import images_as_seen
from trainables.data.store.stored_images import StoredImages
from trainables.metrics.class_counts import ClassCounts
from trainables.models.classifier import AnyClassifier
from trainables.training.device import autocast, evaluation_chunk
from trainables.workers.error_classification import is_out_of_memory
from trainables.workers.worker_context import ProcessGroup


@dataclass(frozen=True)
class EvaluationInputs:
    """Inputs and labels of an evaluation, by rows of the store."""

    of: Callable[[NDArray[np.int64]], Tensor]
    labels_of: Callable[[NDArray[np.int64]], Tensor]
    chunk: int
    """Images in one forward pass."""
    classes: int
    """Number of classes."""


@torch.inference_mode()
def evaluate(network: nn.Module, inputs: EvaluationInputs, rows: NDArray[np.int64], group: ProcessGroup) -> ClassCounts:
    """Counts of the predictions on `rows`, of which each worker evaluates a share; the same on all workers."""
    sums = torch.zeros(3 * inputs.classes + 1, device=group.device, dtype=torch.float64)
    for logits, labels in _logits(network, inputs, rows[group.rank :: group.world_size]):
        _add(sums, logits, labels)
    *counts, loss = group.sum(sums).cpu().numpy()
    true, predicted, correct = np.array(counts).reshape(3, -1)
    return ClassCounts(true, predicted, correct, float(loss))


@torch.inference_mode()
def predict(network: nn.Module, inputs: EvaluationInputs, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Class probabilities (n, classes) of `rows`, by this worker alone."""
    chunks = [logits.softmax(dim=1).cpu().numpy() for logits, _ in _logits(network, inputs, rows)]
    return np.concatenate(chunks)


def _logits(network: nn.Module, inputs: EvaluationInputs, rows: NDArray[np.int64]) -> Iterator[tuple[Tensor, Tensor]]:
    """Logits and labels of `rows`, in order, chunk by chunk; halves the chunk while memory does not suffice."""
    network.eval()
    size, start = inputs.chunk, 0
    while start < len(rows):
        chunk = rows[start : start + size]
        try:
            logits = forward(network, inputs.of(chunk))
        except (RuntimeError, MemoryError) as error:
            if size == 1 or not is_out_of_memory(error):
                raise
            size //= 2  # no worker waits for another in here, so each may find its own size
            continue
        yield logits, inputs.labels_of(chunk)
        start += len(chunk)


def _add(sums: Tensor, logits: Tensor, labels: Tensor) -> None:
    """Add a chunk to `sums`: each class's images, those called it, those found, and last the cross-entropy."""
    classes, predicted = logits.shape[1], logits.argmax(dim=1)
    ones = torch.ones_like(labels, dtype=sums.dtype)
    sums.index_add_(0, labels, ones)
    sums.index_add_(0, predicted + classes, ones)
    sums.index_add_(0, labels + 2 * classes, (predicted == labels).to(sums.dtype))
    sums[-1] += functional.cross_entropy(logits, labels, reduction="sum")


@torch.inference_mode()
def probabilities(classifier: AnyClassifier, images: StoredImages, device: torch.device) -> NDArray[np.float32]:
    """Class probabilities (n, classes) of stored images."""
    classifier.eval()
    size = evaluation_chunk(device, classifier.pixels)
    chunks = []
    for start in range(0, len(images), size):
        seen = images_as_seen(images, np.arange(start, min(start + size, len(images))), classifier.fits)
        logits = forward(classifier, *(torch.from_numpy(each).to(device) for each in seen))
        chunks.append(logits.softmax(dim=1).cpu().numpy())
    return np.concatenate(chunks)


def forward(network: nn.Module, *inputs: Tensor) -> Tensor:
    """Float32 logits of one chunk; of an ensemble, whose members see different squares, of several inputs."""
    with autocast(inputs[0].device):
        logits: Tensor = network(*inputs)
    return logits.float()
