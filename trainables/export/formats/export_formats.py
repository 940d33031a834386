"""The formats that a classifier is exported to, by name: adding one is one function and one line."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trainables.data.loading.square_maker import images_as_seen
from trainables.data.store.store import Store
from trainables.export.export_clock import ExportClock
from trainables.export.exported_files import FORMAT_FILES, Format
from trainables.export.formats.int8 import CALIBRATION_IMAGES, EVALUATION_IMAGES, LabelledImages, quantize
from trainables.export.formats.onnx_format import save_onnx, trace_classifier
from trainables.export.formats.resizing_graph import input_names
from trainables.export.formats.torch_program import export_program
from trainables.export.model_info import AnyModelInfo, fits_of
from trainables.models.classifier import AnyClassifier


@dataclass(frozen=True)
class ExportContext:
    """One classifier and what the exporters of all formats need to know of it."""

    folder: Path
    """Folder for its files."""
    classifier: AnyClassifier
    """With its weights, on the CPU, in evaluation mode."""
    card: AnyModelInfo
    """What it is."""
    store: Store
    """The data it was trained on."""
    max_drop: float
    """Points of accuracy that a file may lose."""
    seed: int
    """Seed that draws the training images for INT8."""
    clock: ExportClock = field(default_factory=ExportClock)
    """Seconds that are left; without a budget they are infinite."""

    @cached_property
    def onnx_model(self) -> Any:
        """The classifier as an ONNX model, which two formats begin with."""
        return trace_classifier(self.classifier, self.card)

    def path_of(self, wanted: Format) -> Path:
        """File of a format."""
        return self.folder / FORMAT_FILES[wanted]

    def draw_examples(self) -> tuple[LabelledImages, LabelledImages]:
        """Training images that set INT8's ranges, and others on which its accuracy is measured."""
        rows = np.random.default_rng(self.seed).permutation(self.store.rows("trainval"))
        half = min(CALIBRATION_IMAGES, len(rows) // 2)
        chosen = (np.sort(part) for part in (rows[:half], rows[half : half + EVALUATION_IMAGES]))
        first, second = (self._examples(part) for part in chosen)
        return first, second

    def _examples(self, rows: NDArray[np.int64]) -> LabelledImages:
        seen = images_as_seen(self.store.stored, rows, fits_of(self.card))
        return LabelledImages(dict(zip(input_names(self.card), seen, strict=True)), self.store.labels[rows])


@dataclass(frozen=True)
class ExportFormat:
    """One format: how it is written and checked."""

    write: Callable[[ExportContext], str]
    """Writes the file; returns a note for its record, or an empty text."""
    exact: bool
    """Whether it computes in float32 and has to agree with PyTorch to `MAX_PROBABILITY_DIFFERENCE`."""
    usable: Callable[[], bool] = lambda: True
    """Whether this machine can make and run it."""


def write_program(context: ExportContext) -> str:
    """PyTorch's own export, in float32."""
    export_program(context.classifier, context.card, context.path_of("pt2"), torch.device("cpu"))
    return ""


def write_half(context: ExportContext) -> str:
    """PyTorch's own export for a GPU, in float16."""
    export_program(context.classifier, context.card, context.path_of("pt2-half"), torch.device("cuda"), torch.float16)
    return "float16, on a GPU"


def write_onnx(context: ExportContext) -> str:
    """ONNX in float32."""
    save_onnx(context.onnx_model, context.card, context.path_of("onnx"))
    return ""


def write_int8(context: ExportContext) -> str:
    """ONNX with 8-bit integers, as far as accuracy allows."""
    calibration, judges = context.draw_examples()
    found = quantize(context.onnx_model, calibration, judges, context.max_drop, context.clock)
    save_onnx(found.model, context.card, context.path_of("onnx-int8"))
    kept = f", {found.kept} of {found.layers} layers in float32" if found.kept else ""
    return f"ranges from {len(calibration.labels):,} training images{kept}"


FORMATS: dict[Format, ExportFormat] = {
    "pt2": ExportFormat(write_program, exact=True),
    "pt2-half": ExportFormat(write_half, exact=False, usable=torch.cuda.is_available),
    "onnx": ExportFormat(write_onnx, exact=True),
    "onnx-int8": ExportFormat(write_int8, exact=False),
}
