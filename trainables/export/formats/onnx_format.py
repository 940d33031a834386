"""ONNX export of a classifier: raw uint8 images of any size in, logits and class probabilities out.

The graph is joined of two: `resizing_graph.py` makes an image what the classifier was trained on, and the classifier.
"""

from pathlib import Path
from typing import Any

import torch

from trainables.export.formats.graph_cleanup import shorten_names
from trainables.export.formats.inference_network import InferenceClassifier
from trainables.export.formats.onnx_trace import trace_module
from trainables.export.formats.resizing_graph import input_names, resizing_models
from trainables.export.model_info import AnyModelInfo, describe_model, fits_of, native_shape
from trainables.export.predictor import LOGITS, PROBABILITIES
from trainables.models.classifier import AnyClassifier
from trainables.storage.files import write_file


def export_onnx(classifier: AnyClassifier, card: AnyModelInfo, path: Path) -> None:
    """Write `path`: uint8 `images` (n, 1 or 3, height, width) -> float32 `logits` and `probabilities` (n, classes).

    Its metadata says what it is.
    """
    save_onnx(trace_classifier(classifier, card), card, path)


def trace_classifier(classifier: AnyClassifier, card: AnyModelInfo) -> Any:
    """The ONNX model of the classifier alone; its inputs are uint8 images of the trained shape, or their squares."""
    channels, height, width = native_shape(card)
    shapes = [(fit.side, fit.side) for fit in fits_of(card)] or [(height, width)]
    examples = tuple(torch.zeros(2, channels, *shape, dtype=torch.uint8) for shape in shapes)
    return trace_module(InferenceClassifier(classifier), examples, input_names(card), [LOGITS, PROBABILITIES], (0,))


def save_onnx(model: Any, card: AnyModelInfo, path: Path) -> None:
    """Write `path`: the resizing of images, then a classifier's ONNX model, with metadata."""
    from onnx.compose import merge_models

    joined = model
    for first in reversed(resizing_models(card)):
        names = [value.name for value in first.graph.output]
        joined = merge_models(first, joined, io_map=[(name, name) for name in names], producer_name="searchspace")
    for key, value in describe_model(card).items():
        joined.metadata_props.add(key=key, value=value)
    shorten_names(joined)
    write_file(path, joined.SerializeToString())
