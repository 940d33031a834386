"""Padding channels for integer kernels changes no answer."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from trainables.export.formats.channel_alignment import align_channels, padding_of

SHAPES = {"shared": (3, 3, 3, 3), "wide": (8, 3, 1, 1), "grouped": (8, 1, 3, 3), "fours": (2, 8, 1, 1)}
"""Kernels: two convolutions share one; only those that see three channels are short of a multiple of four."""


def convolutions() -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    kernels = [
        numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name) for name, shape in SHAPES.items()
    ]

    def conv(name: str, given: str, kernel: str, found: str, **attributes: int) -> onnx.NodeProto:
        return helper.make_node("Conv", [given, kernel], [found], name=name, **attributes)

    nodes = [
        conv("a", "x", "shared", "1"), conv("b", "1", "shared", "2"), conv("c", "2", "wide", "3"),
        conv("d", "3", "grouped", "4", group=8), conv("e", "4", "fours", "y"),
    ]  # fmt: skip
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 9, 9])
    found = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2, "h", "w"])
    graph = helper.make_graph(nodes, "made", [given], [found], kernels)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def answer(model: onnx.ModelProto, images: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": images})[0]


def test_all_channels_come_in_fours_and_no_answer_changes():
    images = np.random.default_rng(1).normal(size=(2, 3, 9, 9)).astype(np.float32)
    model = convolutions()
    expected = answer(model, images)
    align_channels(model)
    onnx.checker.check_model(model, full_check=True)
    assert np.allclose(answer(model, images), expected, atol=1e-6)
    channels = {tensor.name: tensor.dims[1] for tensor in model.graph.initializer if len(tensor.dims) == 4}
    assert channels == {"shared_padded": 4, "wide_padded": 4, "grouped": 1, "fours": 8}
    assert [node.name for node in model.graph.node if node.op_type == "Pad"] == [padding_of(name) for name in "abc"]
