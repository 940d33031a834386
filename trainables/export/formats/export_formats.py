"""The formats that a classifier is exported to, by name: adding one is one function and one line."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trainables.data.store.store import Store
from trainables.export.exported_files import FILES, Format
from trainables.export.formats.int8 import CALIBRATION, JUDGES, Examples, quantise
from trainables.export.formats.onnx_format import FITTED, trace_classifier, write_artefact
from trainables.export.formats.torch_program import export_program
from trainables.export.model_info import AnyCard
from trainables.models.classifier import AnyClassifier


@dataclass(frozen=True)
class Goods:
    """A classifier that is to be exported."""

    folder: Path
    """Where its files go."""
    classifier: AnyClassifier
    """With its weights, on the CPU, in evaluation mode."""
    card: AnyCard
    """What it is."""
    store: Store
    """The data it was trained on."""
    max_drop: float
    """Points of accuracy that a file may lose."""
    seed: int
    """Draws the training images that INT8 looks at."""

    @cached_property
    def traced(self) -> Any:
        """The classifier as an ONNX model, which two formats begin with."""
        return trace_classifier(self.classifier, self.card)

    def file(self, wanted: Format) -> Path:
        """Where a format goes."""
        return self.folder / FILES[wanted]

    def examples(self) -> tuple[Examples, Examples]:
        """Training images that set INT8's ranges, and others that judge them."""
        rows = np.random.default_rng(self.seed).permutation(self.store.rows("trainval"))
        half = min(CALIBRATION, len(rows) // 2)
        chosen = (np.sort(part) for part in (rows[:half], rows[half : half + JUDGES]))
        first, second = (Examples(np.asarray(self.store.images[part]), self.store.labels[part]) for part in chosen)
        return first, second


@dataclass(frozen=True)
class Writer:
    """How a format is made."""

    write: Callable[[Goods], str]
    """Writes the file; returns what is to be known of it, or nothing."""
    exact: bool
    """Whether it computes in float32, as PyTorch does, and so has to agree to the last digits."""
    usable: Callable[[], bool] = lambda: True
    """Whether this machine can make and run it."""


def write_program(goods: Goods) -> str:
    """PyTorch's own export, in float32."""
    export_program(goods.classifier, goods.card, goods.file("pt2"), torch.device("cpu"))
    return ""


def write_half(goods: Goods) -> str:
    """The same for a GPU, in float16."""
    export_program(goods.classifier, goods.card, goods.file("pt2-half"), torch.device("cuda"), torch.float16)
    return "float16, on a GPU"


def write_onnx(goods: Goods) -> str:
    """ONNX in float32."""
    write_artefact(goods.traced, goods.card, goods.file("onnx"))
    return ""


def write_int8(goods: Goods) -> str:
    """ONNX with 8-bit integers, as far as accuracy allows."""
    calibration, judges = goods.examples()
    found = quantise(goods.traced, FITTED, calibration, judges, goods.max_drop)
    write_artefact(found.model, goods.card, goods.file("onnx-int8"))
    kept = f", {found.kept} of {found.layers} layers in float32" if found.kept else ""
    return f"ranges from {len(calibration.labels):,} training images{kept}"


WRITERS: dict[Format, Writer] = {
    "pt2": Writer(write_program, exact=True),
    "pt2-half": Writer(write_half, exact=False, usable=torch.cuda.is_available),
    "onnx": Writer(write_onnx, exact=True),
    "onnx-int8": Writer(write_int8, exact=False),
}
