"""A model that fails: onnxruntime raises at images of one brightness, and says NaN of those of another."""

from pathlib import Path

from onnx import TensorProto, helper, load_model, save_model

from tests.helpers.made_model import make_model

CLASSES = 3
"""Of the made model."""
FAILS, NAN = 13, 77
"""Brightness of all pixels of an image at which it fails, and at which its probabilities are NaN."""


def make_fragile(file: Path) -> Path:
    """The made model with a row that a call looks up: there is none for an image that it fails at."""
    made = load_model(make_model(file))
    graph = made.graph
    (centred,) = (node for node in graph.node if node.op_type == "Sub")
    before = [
        helper.make_node("Equal", ["column", "fails"], ["is_fatal"]),
        helper.make_node("Cast", ["is_fatal"], ["row"], to=TensorProto.INT64),
        helper.make_node("Gather", ["one_row", "row"], ["zero"]),
        helper.make_node("Equal", ["column", "nan"], ["is_nan"]),
        helper.make_node("Cast", ["is_nan"], ["one"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["unit", "one"], ["rest"]),
        helper.make_node("Div", ["rest", "rest"], ["unit_or_nan"]),
        helper.make_node("Mul", ["column", "unit_or_nan"], ["strange"]),
        helper.make_node("Add", ["strange", "zero"], ["stranger"]),
    ]
    for place, node in enumerate(before, start=list(graph.node).index(centred)):
        graph.node.insert(place, node)
    centred.input[0] = "stranger"
    for name, value in (("fails", FAILS), ("nan", NAN), ("one_row", 0), ("unit", 1)):
        graph.initializer.append(helper.make_tensor(name, TensorProto.FLOAT, [1], [value]))
    save_model(made, str(file))
    return file
