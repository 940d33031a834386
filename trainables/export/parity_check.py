"""Parity check on test images: how close a file's logits are to PyTorch's, and how accurate they are.

Images that are stored whole go into a file as they are stored, and it fits them itself; PyTorch sees the squares that
it was trained on, which Pillow made.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from trainables.common.environment import core_count
from trainables.data.loading.square_maker import images_as_seen
from trainables.data.store.stored_images import StoredImages
from trainables.export.exported_files import Parity
from trainables.export.predictor import chunks
from trainables.metrics.metric_registry import compute_score
from trainables.models.classifier import AnyClassifier

MAX_IMAGES, MIN_IMAGES = 10_000, 1_000
"""Test images on which files are checked."""
REFERENCE_BUDGET_S = 60.0
"""Seconds that PyTorch may take for them; a slow network is checked on fewer, but on at least `MIN_IMAGES`."""
RUN_IMAGES = 32
"""Images of one run, on one thread: as many runs go side by side as there are cores."""
TIMED_IMAGES = 16
"""Images by which PyTorch's time is measured."""
MAX_PROBABILITY_DIFFERENCE = 1e-3
"""Largest difference of a float32 file's probabilities from PyTorch's."""

LogitsFunction = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Logits (n, classes) of uint8 images (n, c, h, w), on one thread; several threads may call it at a time."""
Images = NDArray[np.uint8] | Sequence[NDArray[np.uint8]]
"""Uint8 images: an array (n, c, h, w), or where their sizes differ, each (c, h, w)."""


class ParityError(RuntimeError):
    """A file differs from PyTorch or loses too much accuracy; its text is the reason."""


@dataclass(frozen=True)
class Reference:
    """Test images, and PyTorch's logits for them in float32."""

    images: Images
    """As they are stored."""
    labels: NDArray[np.int64]
    """Class of each."""
    logits: NDArray[np.float32]
    """PyTorch's, images x classes."""
    rows: NDArray[np.int64]
    """Rows of the images in the test split."""
    seconds: float = 0.0
    """Seconds that PyTorch took for an image, on all cores."""

    def check_answers(self, answer: LogitsFunction) -> Parity:
        """Compare a file with PyTorch on all images."""
        return self.compare_logits(compute_logits(answer, self.images))

    def compare_logits(self, logits: NDArray[np.float32]) -> Parity:
        """Compare `logits` with PyTorch's; raises `ParityError` where one is infinite or no number."""
        if not np.isfinite(logits).all():
            raise ParityError("its logits are infinite, or no numbers")
        difference = np.abs(logits - self.logits)
        called = logits.argmax(axis=1)
        return Parity(
            count=len(self.images), largest_difference=float(difference.max()),
            mean_difference=float(difference.mean()),
            largest_probability_difference=float(np.abs(softmax(logits) - softmax(self.logits)).max()),
            agreement=float((called == self.logits.argmax(axis=1)).mean()),
            accuracy=float((called == self.labels).mean()),
            f1_macro=compute_score("f1_macro", softmax(logits), self.labels),
        )  # fmt: skip


def make_reference(classifier: AnyClassifier, images: StoredImages, labels: NDArray[np.int64]) -> Reference:
    """Choose test images evenly from all, as many as PyTorch computes in time, with their logits."""
    first = np.linspace(0, len(images) - 1, min(TIMED_IMAGES, len(images))).astype(int)
    trained_logits(classifier, images, first[:1])  # the first run prepares
    started = time.perf_counter()
    trained_logits(classifier, images, first)
    seconds = (time.perf_counter() - started) / len(first)
    count = min(len(images), MAX_IMAGES, max(MIN_IMAGES, int(REFERENCE_BUDGET_S / seconds)))
    rows = np.linspace(0, len(images) - 1, count).astype(int)  # a test split may lie in the order of its classes
    each = [images.image(row) for row in rows.tolist()]
    logits = trained_logits(classifier, images, rows)
    return Reference(each if classifier.fits else np.stack(each), labels[rows], logits, rows, seconds)


def trained_logits(classifier: AnyClassifier, images: StoredImages, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """PyTorch's logits, in float32, of stored images as the classifier saw such ones in training."""
    found = []
    for start in range(0, len(rows), RUN_IMAGES):
        seen = images_as_seen(images, rows[start : start + RUN_IMAGES], classifier.fits)
        with torch.inference_mode():
            found.append(classifier(*map(torch.from_numpy, seen)).numpy())
    return np.concatenate(found)


def eager_logits(classifier: AnyClassifier) -> LogitsFunction:
    """PyTorch's logits in float32, without autocast."""

    def answer(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            found: NDArray[np.float32] = classifier(torch.from_numpy(images)).numpy()
        return found

    return answer


def compute_logits(answer: LogitsFunction, images: Images) -> NDArray[np.float32]:
    """Logits of all `images`, in chunks on all cores; each chunk has images of one size."""
    with ThreadPoolExecutor(core_count(), thread_name_prefix="logits") as threads:
        if isinstance(images, np.ndarray):
            return np.concatenate(list(threads.map(answer, map(np.ascontiguousarray, chunks(images, RUN_IMAGES)))))
        parts = [
            group[start : start + RUN_IMAGES]
            for group in group_by_size(images)
            for start in range(0, len(group), RUN_IMAGES)
        ]
        found = list(threads.map(lambda part: answer(np.stack([images[place] for place in part])), parts))
    return np.concatenate(found)[np.argsort(np.concatenate(parts))]


def group_by_size(images: Sequence[NDArray[np.uint8]]) -> Iterator[list[int]]:
    """Positions of the images of each size."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for place, image in enumerate(images):
        groups.setdefault(image.shape, []).append(place)
    yield from groups.values()


def check_parity(proof: Parity, reference: Parity, exact: bool, max_drop: float) -> None:
    """Raise `ParityError` where a file loses more than `max_drop` points, or an exact format differs from PyTorch."""
    lost = 100 * (reference.accuracy - proof.accuracy)
    if not lost <= max_drop:
        raise ParityError(f"loses {lost:.2f} points of test accuracy, more than --max-drop {max_drop:g}")
    if exact and not proof.largest_probability_difference <= MAX_PROBABILITY_DIFFERENCE:
        found = proof.largest_probability_difference
        raise ParityError(
            f"its probabilities differ from PyTorch's by {found:.2e}, more than {MAX_PROBABILITY_DIFFERENCE:g}"
        )


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities of logits, both (n, classes)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return found
