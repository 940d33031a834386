"""Pads input channels to multiples of four, which vector instructions for 8-bit numbers take at once."""

from typing import Any

import numpy as np

CHANNEL_GROUP = 4
"""Input channels that one instruction takes; onnxruntime's fastest kernels need a multiple of it."""


def padding_of(layer: str) -> str:
    """Name of the node that pads the input of the convolution `layer`, if it is padded."""
    return f"{layer}_padded"


def align_channels(model: Any) -> None:
    """Give each convolution of an ONNX model input channels in fours, in place; those added are zero, so are weights.

    Images have 1 or 3, so this is for first layers, which otherwise take a slow path.
    """
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    wider: dict[str, str] = {}
    for index, node in reversed(list(enumerate(model.graph.node))):
        tensor = weights.get(node.input[1]) if node.op_type == "Conv" else None
        grouped = any(attribute.name == "group" and attribute.i > 1 for attribute in node.attribute)
        if tensor is None or grouped or tensor.dims[1] % CHANNEL_GROUP == 0:
            continue
        if tensor.name not in wider:  # an exporter keeps equal weights once
            wider[tensor.name] = _widen(model.graph, tensor)
        node.input[1] = wider[tensor.name]
        _pad(model.graph, index, -tensor.dims[1] % CHANNEL_GROUP, len(tensor.dims))
    _drop_unused(model.graph, wider)


def _widen(graph: Any, tensor: Any) -> str:
    """Add a kernel's copy whose input channels are a multiple of `CHANNEL_GROUP`; returns its name."""
    from onnx import numpy_helper

    kernel = numpy_helper.to_array(tensor)
    amounts = [(0, 0), (0, -kernel.shape[1] % CHANNEL_GROUP), *[(0, 0)] * (kernel.ndim - 2)]
    name = f"{tensor.name}_padded"
    graph.initializer.append(numpy_helper.from_array(np.pad(kernel, amounts), name))
    return name


def _pad(graph: Any, index: int, more: int, axes: int) -> None:
    """Append zero channels to the input of the convolution at `index`."""
    from onnx import helper, numpy_helper

    node = graph.node[index]
    name = padding_of(node.name)
    amounts = np.zeros(2 * axes, np.int64)
    amounts[axes + 1] = more
    graph.initializer.append(numpy_helper.from_array(amounts, f"{name}_by"))
    graph.node.insert(index, helper.make_node("Pad", [node.input[0], f"{name}_by"], [name], name=name))
    graph.node[index + 1].input[0] = name


def _drop_unused(graph: Any, names: dict[str, str]) -> None:
    """Remove those of the initializers `names` that no node reads."""
    read = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in read or tensor.name not in names]
    del graph.initializer[:]
    graph.initializer.extend(kept)
