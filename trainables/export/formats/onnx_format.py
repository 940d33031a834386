"""ONNX export of a classifier: raw uint8 images of any size in, logits and class probabilities out.

The graph is joined of two: one that fits images to the size of training, which images of that size pass by, and the
classifier itself.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trainables.export.formats.graph_cleanup import shorten_names, strip_metadata
from trainables.export.formats.inference_network import InferenceClassifier
from trainables.export.formats.resize import Resize
from trainables.export.model_info import AnyModelInfo, describe_model
from trainables.export.predictor import IMAGES, LOGITS, PROBABILITIES
from trainables.models.classifier import AnyClassifier
from trainables.storage.files import write_file

OPSET = 18
RESIZED = "fitted"
"""What the first graph hands to the second."""


def export_onnx(classifier: AnyClassifier, card: AnyModelInfo, path: Path) -> None:
    """Write `path`: uint8 `images` (n, 1 or 3, height, width) -> float32 `logits` and `probabilities` (n, classes).

    Its metadata says what it is.
    """
    save_onnx(trace_classifier(classifier, card), card, path)


def trace_classifier(classifier: AnyClassifier, card: AnyModelInfo) -> Any:
    """The ONNX model of the classifier alone, whose input is uint8 images of the trained shape."""
    data = card.data
    example = torch.zeros(2, data.channels, data.height, data.width, dtype=torch.uint8)
    return _trace(InferenceClassifier(classifier), example, RESIZED, [LOGITS, PROBABILITIES], ("batch",))


def save_onnx(model: Any, card: AnyModelInfo, path: Path) -> None:
    """Write `path`: the resizing of images, then a classifier's ONNX model, with metadata."""
    import onnx

    data = card.data
    joined = onnx.compose.merge_models(
        _resize_model(data.channels, data.height, data.width),
        model,
        io_map=[(RESIZED, RESIZED)],
        producer_name="searchspace",
    )
    for key, value in describe_model(card).items():
        joined.metadata_props.add(key=key, value=value)
    shorten_names(joined)
    write_file(path, joined.SerializeToString())


@lru_cache(maxsize=8)
def _resize_model(channels: int, height: int, width: int) -> Any:
    """The ONNX model that resizes images to a shape; images of that shape pass unchanged."""
    from onnx import TensorProto, compose, helper

    example = torch.zeros(2, 3, height + 1, width + 2, dtype=torch.uint8)
    traced = _trace(
        Resize(channels, height, width), example, IMAGES, [RESIZED], ("batch", "channels", "height", "width")
    )
    fit = compose.add_prefix(traced, "fit.", rename_inputs=False, rename_outputs=False).graph
    shape = [channels, height, width]
    fit.output[0].CopyFrom(_uint8_info(RESIZED, "batch", *shape))
    same = helper.make_graph([helper.make_node("Identity", [IMAGES], ["as_they_are"])], "as_they_are", [], [])
    same.output.append(_uint8_info("as_they_are", "batch", *shape))
    del fit.input[:]  # a branch sees what is around it
    nodes = [
        helper.make_node("Shape", [IMAGES], ["shape"], start=1),
        helper.make_node("Equal", ["shape", "trained_shape"], ["equal"]),
        helper.make_node("Cast", ["equal"], ["equal_as_number"], to=TensorProto.INT32),
        helper.make_node("ReduceMin", ["equal_as_number"], ["all_equal_as_number"], keepdims=0),
        helper.make_node("Cast", ["all_equal_as_number"], ["all_equal"], to=TensorProto.BOOL),
        helper.make_node("If", ["all_equal"], [RESIZED], then_branch=same, else_branch=fit),
    ]
    graph = helper.make_graph(
        nodes, "fitting", [_uint8_info(IMAGES, "batch", "channels", "height", "width")],
        [_uint8_info(RESIZED, "batch", *shape)],
        [helper.make_tensor("trained_shape", TensorProto.INT64, [3], shape)],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=traced.opset_import, ir_version=traced.ir_version)


def _uint8_info(name: str, *shape: int | str) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.UINT8, shape)


def _trace(module: nn.Module, example: torch.Tensor, given: str, found: list[str], free: tuple[str, ...]) -> Any:
    """ONNX model of `module` with the given input and output names; the input's axes named in `free` are dynamic."""
    with _quiet():
        program: Any = torch.onnx.export(
            module.eval(), (example,), dynamo=True, opset_version=OPSET, input_names=[given], output_names=found,
            dynamic_shapes=(dict.fromkeys(range(len(free)), torch.export.Dim.DYNAMIC),),
        )  # fmt: skip
    return strip_metadata(program.model_proto)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter, which prints, logs and warns."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
