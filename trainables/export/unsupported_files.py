"""Describes a file that was given as a model but is none, and suggests what to give instead."""

from pathlib import Path

from trainables.common.escaping import shown
from trainables.data.layouts.image_files import LFS_POINTER, kind_by_content, read_head

FILE_KINDS = {
    ".pt2": "a PyTorch program, which torch.export.load reads",
    ".safetensors": "weights, which this project's code reads",
    ".json": "a record",
    ".pt": "a PyTorch checkpoint",
    ".pth": "a PyTorch checkpoint",
    ".ckpt": "a PyTorch checkpoint",
    ".h5": "a Keras model",
    ".keras": "a Keras model",
    ".tflite": "a TensorFlow Lite model",
    ".pb": "a TensorFlow graph",
    ".mlmodel": "a Core ML model",
    ".engine": "a TensorRT engine",
    ".npz": "arrays",
    ".csv": "a table",
    ".html": "a page",
    ".md": "a text",
}
"""Content of files by suffix, for files that were given as an ONNX model."""


def describe_file(file: Path) -> str:
    """Kind of a file that onnxruntime does not load; empty where neither its name nor its first bytes show it."""
    head = read_head(file)
    if not head:
        return "an empty file, or one that cannot be read"
    if head.startswith(LFS_POINTER):
        return "a Git LFS pointer; `git lfs pull` fetches the model"
    if kind_by_content(head) == "image":
        return "an image; the model comes first"
    if file.suffix.lower() in FILE_KINDS:
        return FILE_KINDS[file.suffix.lower()]
    return "a web page" if head.lstrip()[:1] == b"<" else ""


def suggest_model_file(file: Path) -> str:
    """Advice what to give instead of `file`: an ONNX file beside it, if there is one."""
    beside = sorted(file.parent.glob("model*.onnx"), key=lambda path: (path.name != "model.onnx", path.name))
    others = [path for path in beside if path != file and path.is_file()]
    if others:
        return f"give {shown(others[0])}"
    return "give the folder of a search, or an .onnx file that it exported, such as results/digits/winner/model.onnx"
