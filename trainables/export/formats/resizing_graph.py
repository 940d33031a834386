"""The part of an ONNX file that makes any image what the classifier was trained on; other images pass by it.

For a store of one shape it is one model. For a store that keeps aspects there are two: the first gives the stored
image, the second its squares, one for each way of fitting.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from trainables.data.decoding.stored_size import MAX_ASPECT, MIN_SIDE
from trainables.data.loading.square_fit import SquareFit
from trainables.export.formats.onnx_trace import trace_module
from trainables.export.formats.resize import Resize, SquareViews, StoredResize
from trainables.export.model_info import AnyModelInfo, fits_of, native_shape, store_side
from trainables.export.predictor import IMAGES

RESIZED = "fitted"
"""What the resizing hands to the classifier; with a number behind it where members of an ensemble want several."""
STORED = "stored"
"""The image as a store that keeps aspects has it."""


def input_names(card: AnyModelInfo) -> list[str]:
    """Names of the inputs of the classifier alone."""
    count = len(fits_of(card))
    return [f"{RESIZED}{index}" for index in range(count)] if count > 1 else [RESIZED]


def resizing_models(card: AnyModelInfo) -> list[Any]:
    """The ONNX models through which images pass, in order, before they come to the classifier."""
    channels, height, width = native_shape(card)
    fits = fits_of(card)
    if not fits:
        return [_one_shape_model(channels, height, width)]
    return [_stored_model(channels, store_side(card.data)), _squares_model(channels, fits, tuple(input_names(card)))]


@lru_cache(maxsize=8)
def _one_shape_model(channels: int, height: int, width: int) -> Any:
    """Resizes images to one shape; images of that shape pass unchanged."""
    traced = _trace(Resize(channels, height, width), 3, (height + 1, width + 2), IMAGES, RESIZED)
    shape = (channels, height, width)
    nodes, constants = _has_shape(IMAGES, "trained_shape", shape, start=1)
    nodes.append(_branch(traced, IMAGES, "trained_shape", RESIZED, shape))
    return _model(traced, nodes, constants, (IMAGES, ("channels", "height", "width")), {RESIZED: shape})


@lru_cache(maxsize=8)
def _stored_model(channels: int, side: int) -> Any:
    """Resizes images as a store does whose images have a shorter side of at most `side` pixels."""
    from onnx import TensorProto, helper

    traced = _trace(StoredResize(channels, side), 3, (side + 3, side + 5), IMAGES, STORED)
    bounds = {"most_short": side, "most_long": MAX_ASPECT * side, "least_long": MIN_SIDE, "channel_count": channels}
    constants = [helper.make_tensor(name, TensorProto.INT64, [1], [value]) for name, value in bounds.items()]
    nodes = [
        helper.make_node("Shape", [IMAGES], ["given_channels"], start=1, end=2),
        helper.make_node("Shape", [IMAGES], ["given_sides"], start=2),
        helper.make_node("ReduceMin", ["given_sides"], ["short"]),
        helper.make_node("ReduceMax", ["given_sides"], ["long"]),
        helper.make_node("Equal", ["given_channels", "channel_count"], ["same_channels"]),
        helper.make_node("LessOrEqual", ["short", "most_short"], ["short_enough"]),
        helper.make_node("LessOrEqual", ["long", "most_long"], ["not_too_long"]),
        helper.make_node("GreaterOrEqual", ["long", "least_long"], ["long_enough"]),
        helper.make_node("And", ["same_channels", "short_enough"], ["both"]),
        helper.make_node("And", ["not_too_long", "long_enough"], ["both_lengths"]),
        helper.make_node("And", ["both", "both_lengths"], ["is_stored"]),
    ]
    shape = (channels, "stored_height", "stored_width")
    nodes.append(_branch(traced, IMAGES, "is_stored", STORED, shape))
    return _model(traced, nodes, constants, (IMAGES, ("channels", "height", "width")), {STORED: shape})


@lru_cache(maxsize=8)
def _squares_model(channels: int, fits: tuple[SquareFit, ...], names: tuple[str, ...]) -> Any:
    """Fits stored images to squares; images that are such squares pass unchanged."""
    nodes, constants = [], []
    for fit, name in zip(fits, names, strict=True):
        traced = _trace(SquareViews([fit]), channels, (fit.side + 1, fit.side + 2), STORED, name)
        shape = (channels, fit.side, fit.side)
        checks, sizes = _has_shape(STORED, f"is_{name}", shape[1:], start=2)
        nodes += [*checks, _branch(traced, STORED, f"is_{name}", name, shape)]
        constants += sizes
    found = {name: (channels, fit.side, fit.side) for fit, name in zip(fits, names, strict=True)}
    return _model(traced, nodes, constants, (STORED, (channels, "stored_height", "stored_width")), found)


def _trace(module: nn.Module, channels: int, size: tuple[int, int], given: str, found: str) -> Any:
    """ONNX model of a resizing of images of any size; of any number of channels, if it begins with raw images."""
    example = torch.zeros(2, channels, *size, dtype=torch.uint8)
    return trace_module(module, [example], [given], [found], (0, 1, 2, 3) if given == IMAGES else (0, 2, 3))


def _has_shape(given: str, condition: str, shape: Sequence[int], start: int) -> tuple[list[Any], list[Any]]:
    """Nodes, and their constants, that compare the shape of `given`, from the axis `start`, with `shape`."""
    from onnx import TensorProto, helper

    expected = f"{condition}_shape"
    nodes = [
        helper.make_node("Shape", [given], [f"{condition}_given"], start=start),
        helper.make_node("Equal", [f"{condition}_given", expected], [f"{condition}_equal"]),
        helper.make_node("Cast", [f"{condition}_equal"], [f"{condition}_number"], to=TensorProto.INT32),
        helper.make_node("ReduceMin", [f"{condition}_number"], [f"{condition}_all"], keepdims=0),
        helper.make_node("Cast", [f"{condition}_all"], [condition], to=TensorProto.BOOL),
    ]
    return nodes, [helper.make_tensor(expected, TensorProto.INT64, [len(shape)], shape)]


def _branch(traced: Any, given: str, condition: str, found: str, shape: Sequence[int | str]) -> Any:
    """A node that passes `given` on where `condition` holds, and else through the traced model."""
    from onnx import compose, helper

    resized = compose.add_prefix(traced, f"{found}.", rename_inputs=False, rename_outputs=False).graph
    resized.output[0].CopyFrom(_uint8_info(found, "batch", *shape))
    name = f"{found}_as_it_is"
    same = helper.make_graph([helper.make_node("Identity", [given], [name])], name, [], [])
    same.output.append(_uint8_info(name, "batch", *shape))
    del resized.input[:]  # a branch sees what is around it
    return helper.make_node("If", [condition], [found], then_branch=same, else_branch=resized)


def _model(
    traced: Any, nodes: list[Any], constants: list[Any], given: tuple[str, Sequence[int | str]],
    found: Mapping[str, Sequence[int | str]],
) -> Any:  # fmt: skip
    from onnx import helper

    outputs = [_uint8_info(name, "batch", *shape) for name, shape in found.items()]
    graph = helper.make_graph(nodes, "resizing", [_uint8_info(given[0], "batch", *given[1])], outputs, constants)
    return helper.make_model(graph, opset_imports=traced.opset_import, ir_version=traced.ir_version)


def _uint8_info(name: str, *shape: int | str) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.UINT8, shape)
