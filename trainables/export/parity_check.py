"""Proof on test images: how closely a file answers as PyTorch does, and how often it is right."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from trainables.export.exported_files import Proof
from trainables.export.predictor import chunks
from trainables.models.classifier import AnyClassifier

MOST, LEAST = 10_000, 1_000
"""Test images that files are proven on."""
PATIENCE = 60.0
"""Seconds that PyTorch may take over them; a slow network is proven on fewer, but not on less than `LEAST`."""
CHUNK = 128
"""Images of one run."""
LARGEST_DIFFERENCE = 1e-3
"""Between a float32 file's probabilities and PyTorch's, beyond which it is not what was trained."""

Answer = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Logits (n, classes) of uint8 images (n, c, h, w)."""


class ProofError(RuntimeError):
    """A file does not compute what PyTorch does, or is wrong too often; its text is the reason."""


@dataclass(frozen=True)
class Exam:
    """Test images, and what PyTorch says of them in float32."""

    images: NDArray[np.uint8]
    """Images x channels x height x width."""
    labels: NDArray[np.int64]
    """Class of each."""
    logits: NDArray[np.float32]
    """PyTorch's, images x classes."""

    def prove(self, answer: Answer) -> Proof:
        """Compare `answer` with PyTorch on all images."""
        return self.compare(answer_all(answer, self.images))

    def compare(self, logits: NDArray[np.float32]) -> Proof:
        """Compare `logits` with PyTorch's; raises `ProofError` where one is infinite or no number."""
        from sklearn.metrics import f1_score

        if not np.isfinite(logits).all():
            raise ProofError("its logits are infinite, or no numbers")
        difference = np.abs(logits - self.logits)
        called = logits.argmax(axis=1)
        return Proof(
            count=len(self.images), largest_difference=float(difference.max()),
            mean_difference=float(difference.mean()),
            largest_probability_difference=float(np.abs(_softmax(logits) - _softmax(self.logits)).max()),
            agreement=float((called == self.logits.argmax(axis=1)).mean()),
            accuracy=float((called == self.labels).mean()),
            f1_macro=float(f1_score(self.labels, called, labels=np.unique(self.labels), average="macro")),
        )  # fmt: skip


def set_exam(classifier: AnyClassifier, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Exam:
    """Choose test images evenly from all, as many as PyTorch answers in time, and let it answer."""
    started = time.perf_counter()
    eager = eager_answer(classifier)
    answer_all(eager, images[:CHUNK])
    seconds = (time.perf_counter() - started) / min(CHUNK, len(images))
    count = min(len(images), MOST, max(LEAST, int(PATIENCE / seconds)))
    rows = np.linspace(0, len(images) - 1, count).astype(int)  # a test split may lie in the order of its classes
    images = np.asarray(images[rows])
    return Exam(images, labels[rows], answer_all(eager, images))


def eager_answer(classifier: AnyClassifier) -> Answer:
    """PyTorch's answers without autocast, whatever precision the classifier was trained in."""

    def answer(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            found: NDArray[np.float32] = classifier(torch.from_numpy(images)).numpy()
        return found

    return answer


def answer_all(answer: Answer, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits of all `images`, chunk by chunk."""
    return np.concatenate([answer(np.ascontiguousarray(chunk)) for chunk in chunks(images, CHUNK)])


def check(proof: Proof, reference: Proof, exact: bool, max_drop: float) -> None:
    """Raise `ProofError` where a file loses more than `max_drop` points, or is not the same though it ought to be."""
    lost = 100 * (reference.accuracy - proof.accuracy)
    if not lost <= max_drop:
        raise ProofError(f"loses {lost:.2f} points of test accuracy, more than --max-drop {max_drop:g}")
    if exact and not proof.largest_probability_difference <= LARGEST_DIFFERENCE:
        found = proof.largest_probability_difference
        raise ProofError(f"its probabilities differ from PyTorch's by {found:.2e}, more than {LARGEST_DIFFERENCE:g}")


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return found
