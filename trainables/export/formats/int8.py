"""INT8 by static quantisation: 8-bit weights per channel, 8-bit activations in ranges seen on training images.

Quantise-dequantise pairs around each operator (QDQ), which inference engines melt into integer kernels
(arXiv:1712.05877, arXiv:2004.09602). Layers that cost too much accuracy stay in float32, the most sensitive first.
Whether they do is measured on training images that set no range; the test split has no part in it.
"""

import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.export.export_clock import ExportClock
from trainables.export.formats.channel_alignment import align_channels, padding_of
from trainables.export.predictor import chunks

CALIBRATION_IMAGES, EVALUATION_IMAGES = 512, 1_024
"""Most training images for ranges, and most other ones on which the loss of accuracy is measured."""
QUANTIZATION_BATCH = 32
"""Images in one run."""
SENSITIVITY_IMAGES = 16
"""Images by which sensitive layers are found."""
WEIGHTED_OPERATORS = ("Conv", "Gemm", "MatMul")
"""Operators with weights: the layers that can be left in float32."""
QUANTIZATION_OPTIONS = {"OpTypesToExcludeOutputQuantization": ["Gemm", "MatMul", "Softmax"]}
"""Options of onnxruntime: logits and probabilities keep more than 8 bits."""


@dataclass(frozen=True)
class LabelledImages:
    """Images as the classifier's graph takes them."""

    inputs: Mapping[str, NDArray[np.uint8]]
    """By the graph's inputs, of their shapes: images x channels x height x width."""
    labels: NDArray[np.int64]
    """Class of each."""


@dataclass(frozen=True)
class QuantizedModel:
    """An INT8 model and its loss of accuracy."""

    model: Any
    """The ONNX model of the classifier alone."""
    kept: int
    """Layers that stayed in float32."""
    layers: int
    """Layers with weights in all."""
    lost: float
    """Points of accuracy lost on training images."""


def quantize(
    model: Any, calibration: LabelledImages, judges: LabelledImages, max_drop: float, clock: ExportClock | None = None
) -> QuantizedModel:
    """Quantise a classifier's ONNX `model`, whose inputs are uint8 images as the classifier's graph takes them.

    As few layers stay in float32 as keep the loss of accuracy on `judges` within `max_drop` points; half at most.
    Raises `BudgetSpentError` where finding the sensitive ones would take longer than the `clock` leaves.
    """
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder, _quiet():
        bench = _Workspace(Path(folder), calibration.inputs)
        onnx.save_model(model, str(bench.whole))
        quant_pre_process(str(bench.whole), str(bench.whole), skip_symbolic_shape=True)
        bench.rewrite(align_channels)
        layers = [node.name for node in onnx.load(str(bench.whole)).graph.node if node.op_type in WEIGHTED_OPERATORS]
        expected = _accuracy(bench.logits(bench.whole, judges.inputs), judges)
        kept, ranked = list[str](), list[str]()
        while True:
            bench.quantize(nodes_to_exclude=[*kept, *map(padding_of, kept)])
            lost = 100 * (expected - _accuracy(bench.logits(bench.integer, judges.inputs), judges))
            if lost <= max_drop or len(kept) >= len(layers) // 2:
                return QuantizedModel(onnx.load(str(bench.integer)), len(kept), len(layers), lost)
            probes = {name: images[:SENSITIVITY_IMAGES] for name, images in judges.inputs.items()}
            ranked = ranked or _by_sensitivity(bench, layers, probes, clock or ExportClock())
            kept = ranked[: min(max(1, 2 * len(kept)), len(layers) // 2)]


@dataclass(frozen=True)
class _Workspace:
    """A folder to quantise in."""

    folder: Path
    images: Mapping[str, NDArray[np.uint8]]
    """What ranges are taken from, once."""

    @property
    def whole(self) -> Path:
        """The model in float32."""
        return self.folder / "float.onnx"

    @property
    def integer(self) -> Path:
        """The model of the latest quantisation."""
        return self.folder / "int8.onnx"

    def rewrite(self, change: Callable[[Any], None]) -> None:
        """Change the model in float32."""
        import onnx

        model = onnx.load(str(self.whole))
        change(model)
        onnx.save_model(model, str(self.whole))

    def quantize(self, **nodes: list[str]) -> None:
        """Quantise all operators, or those that `nodes` leaves (`nodes_to_quantize`, `nodes_to_exclude`)."""
        from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

        quantize_static(
            str(self.whole), str(self.integer), _CalibrationReader(self.images),
            quant_format=QuantFormat.QDQ, per_channel=True, activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8, calibration_cache_path=self.folder / "ranges.json",
            extra_options=QUANTIZATION_OPTIONS, **nodes,
        )  # fmt: skip

    def logits(self, file: Path, images: Mapping[str, NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Logits of the model in `file`."""
        import onnxruntime

        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        return np.concatenate([session.run(None, batch)[0] for batch in _CalibrationReader(images)])


def _accuracy(logits: NDArray[np.float32], examples: LabelledImages) -> float:
    return float((logits.argmax(axis=1) == examples.labels).mean())


def _by_sensitivity(
    bench: _Workspace, layers: Sequence[str], probes: Mapping[str, NDArray[np.uint8]], clock: ExportClock
) -> list[str]:
    """Layers by the change of the logits when that layer alone is quantised, the largest first."""
    expected, started = bench.logits(bench.whole, probes), time.perf_counter()
    moved = dict[str, float]()
    for layer in layers:
        bench.quantize(nodes_to_quantize=[layer])
        moved[layer] = float(np.abs(bench.logits(bench.integer, probes) - expected).mean())
        clock.check((time.perf_counter() - started) / len(moved) * (len(layers) - len(moved)))
    return sorted(layers, key=lambda layer: -moved[layer])


class _CalibrationReader:
    """Batches of images by the names of the inputs, in the form that onnxruntime's quantisation reads."""

    def __init__(self, images: Mapping[str, NDArray[np.uint8]]) -> None:
        self._images = images
        self._batches = iter(self)

    def __iter__(self) -> Iterator[dict[str, NDArray[np.uint8]]]:
        each = zip(*(chunks(images, QUANTIZATION_BATCH) for images in self._images.values()), strict=True)
        return (dict(zip(self._images, map(np.ascontiguousarray, batch), strict=True)) for batch in each)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        return next(self._batches, None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence advice of the quantisation to preprocess the model, which has been done."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(StringIO()):
            yield
    finally:
        logging.disable(level)
