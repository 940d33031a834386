"""Evaluation: sums over counts, reduced over the gang once, divided once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from trainables.config import Assignment
from trainables.data.loading.square_maker import images_as_seen
from trainables.data.store.store import Store
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
    weights_of: Callable[[NDArray[np.int64]], Tensor] | None = None
    """Weights of images in the counts; None: 1 for all."""


def weights_lookup(
    assignment: Assignment, store: Store, device: torch.device
) -> Callable[[NDArray[np.int64]], Tensor] | None:
    """Gives weights of rows in scores, float64, on the device; None where scores are not weighted."""
    weights = store.weights
    if not assignment.weighted or weights is None:
        return None
    return lambda rows: torch.from_numpy(weights[rows]).to(device).double()


@torch.inference_mode()
def evaluate(network: nn.Module, inputs: EvaluationInputs, rows: NDArray[np.int64], group: ProcessGroup) -> ClassCounts:
    """Counts of the predictions on `rows`, of which each worker evaluates a share; the same on all workers."""
    sums = torch.zeros(3 * inputs.classes + 1, device=group.device, dtype=torch.float64)
    for logits, chunk in _logits(network, inputs, rows[group.rank :: group.world_size]):
        _add(sums, logits, inputs.labels_of(chunk), inputs.weights_of(chunk) if inputs.weights_of else None)
    *counts, loss = group.sum(sums).cpu().numpy()
    true, predicted, correct = np.array(counts).reshape(3, -1)
    return ClassCounts(true, predicted, correct, float(loss))


@torch.inference_mode()
def predict(network: nn.Module, inputs: EvaluationInputs, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Class probabilities (n, classes) of `rows`, by this worker alone."""
    chunks = [logits.softmax(dim=1).cpu().numpy() for logits, _ in _logits(network, inputs, rows)]
    return np.concatenate(chunks)


def _logits(
    network: nn.Module, inputs: EvaluationInputs, rows: NDArray[np.int64]
) -> Iterator[tuple[Tensor, NDArray[np.int64]]]:
    """Logits of `rows`, and their rows, in order, chunk by chunk; halves the chunk while memory does not suffice."""
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
        yield logits, chunk
        start += len(chunk)


def _add(sums: Tensor, logits: Tensor, labels: Tensor, weights: Tensor | None) -> None:
    """Add a chunk to `sums`: each class's images, those called it, those found, and last the cross-entropy.

    Each image counts as its weight, if there are any.
    """
    classes, predicted = logits.shape[1], logits.argmax(dim=1)
    ones = torch.ones_like(labels, dtype=sums.dtype) if weights is None else weights
    sums.index_add_(0, labels, ones)
    sums.index_add_(0, predicted + classes, ones)
    sums.index_add_(0, labels + 2 * classes, (predicted == labels) * ones)
    if weights is None:
        sums[-1] += functional.cross_entropy(logits, labels, reduction="sum")
    else:
        sums[-1] += functional.cross_entropy(logits, labels, reduction="none").to(sums.dtype) @ weights


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
