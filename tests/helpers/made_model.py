"""A model that nobody trained: it tells dark images from bright ones, and one class has the worst of names."""

import json
from collections.abc import Sequence
from pathlib import Path

from onnx import TensorProto, helper, save_model

CLASSES = ["dark", 'bright, "very"\n\x1b[31m', "çölored"]


def make_model(file: Path, classes: Sequence[str] = CLASSES, **facts: str) -> Path:
    """Write it as a search would export it, with `facts` of itself."""
    nodes = [
        helper.make_node("Cast", ["images"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers", "axes"], ["mean"], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "last"], ["column"]),
        helper.make_node("Sub", ["column", "middle"], ["centred"]),
        helper.make_node("Mul", ["centred", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", "c", "h", "w"])
    found = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in ("logits", "probabilities")]
    constants = [
        helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3]),
        helper.make_tensor("last", TensorProto.INT64, [1], [1]),
        helper.make_tensor("middle", TensorProto.FLOAT, [1], [128]),
        helper.make_tensor("weights", TensorProto.FLOAT, [1, 3], [-0.05, 0.05, 0.0]),
    ]
    graph = helper.make_graph(nodes, "made", [images], found, constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    for key, value in {"classes": json.dumps(classes), "shape": json.dumps([3, 8, 8]), **facts}.items():
        made.metadata_props.add(key=key, value=value)
    save_model(made, str(file))
    return file
