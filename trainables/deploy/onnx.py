"""ONNX export of a classifier: raw uint8 images in, class probabilities out, proven against PyTorch."""

import contextlib
import io
import json
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trainables.card import AnyCard
from trainables.config import Frozen
from trainables.models.ensemble import AnyClassifier

OPSET = 18
LARGEST_DIFFERENCE = 1e-3
"""Between ONNX's and PyTorch's probabilities, beyond which an artefact is not what was trained."""
PROVEN = 1_000
"""Test images that parity is proven on, at most."""


class Parity(Frozen):
    """How close an artefact is to the PyTorch classifier, on test images."""

    count: int
    """Images compared."""
    largest_difference: float
    """Largest difference of a probability."""
    agreement: float
    """Share of images with the same likeliest class, from 0 to 1."""
    megabytes: float
    """File size, in 10^6 bytes."""


class ParityError(RuntimeError):
    """An artefact does not compute what PyTorch does; it was deleted."""


class _Probabilities(nn.Module):
    def __init__(self, classifier: AnyClassifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.classifier(images).softmax(dim=1)
        return out


def export_onnx(classifier: AnyClassifier, card: AnyCard, path: Path) -> None:
    """Write `path`: uint8 `images` (batch, channels, height, width) -> float32 `probabilities` (batch, classes)."""
    import onnx

    data = card.data
    example = torch.zeros(2, data.channels, data.height, data.width, dtype=torch.uint8)
    with _quiet():
        program: Any = torch.onnx.export(
            _Probabilities(classifier).eval(), (example,), dynamo=True, opset_version=OPSET,
            input_names=["images"], output_names=["probabilities"],
            dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
        )  # fmt: skip
    model = program.model_proto
    facts = {
        "classes": json.dumps(card.data.classes),
        **card.facts,
        "data": data.name,
        "fingerprint": data.fingerprint,
        "layout": "uint8, batch x channels x height x width, " + ("grey" if data.channels == 1 else "RGB"),
    }
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=value)
    onnx.save_model(model, str(path))


def prove_onnx(path: Path, classifier: AnyClassifier, images: NDArray[np.uint8]) -> Parity:
    """Compare `path` with `classifier` on uint8 images (n, c, h, w); deletes it, raising `ParityError`, if unlike."""
    images = images[:PROVEN]
    found = run_onnx(path, images)
    expected = _full_precision(classifier, images)
    parity = Parity(
        count=len(images),
        largest_difference=float(np.abs(found - expected).max()),
        agreement=float((found.argmax(axis=1) == expected.argmax(axis=1)).mean()),
        megabytes=path.stat().st_size / 1e6,
    )
    if not parity.largest_difference <= LARGEST_DIFFERENCE:  # so written, a NaN fails too
        path.unlink()
        raise ParityError(f"{path.name}: probabilities differ from PyTorch's by {parity.largest_difference:.2e}")
    return parity


def run_onnx(path: Path, images: NDArray[np.uint8], batch: int = 256) -> NDArray[np.float32]:
    """Probabilities that the artefact gives, on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    chunks = [images[start : start + batch] for start in range(0, len(images), batch)]
    return np.concatenate([session.run(None, {"images": np.ascontiguousarray(chunk)})[0] for chunk in chunks])


@torch.inference_mode()
def _full_precision(classifier: AnyClassifier, images: NDArray[np.uint8], batch: int = 256) -> NDArray[np.float32]:
    """PyTorch's probabilities without autocast, whatever precision the classifier was trained in."""
    chunks = [torch.from_numpy(images[start : start + batch]) for start in range(0, len(images), batch)]
    return np.concatenate([classifier.eval()(chunk).softmax(dim=1).numpy() for chunk in chunks])


@contextlib.contextmanager
def _quiet() -> Any:
    """The exporter talks on every channel there is."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
    logging.disable(level)
