"""Prediction with an exported classifier: raw images in, probabilities out, by onnxruntime and numpy alone.

The file itself resizes images of any size, grey or RGB, and its metadata names its classes.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.common.errors import UserError
from trainables.common.escaping import shown
from trainables.export.unsupported_files import describe_file, suggest_model_file
from trainables.storage.files import is_file, read_file

IMAGES, LOGITS, PROBABILITIES = "images", "logits", "probabilities"
"""An artefact's input, uint8 (batch, 1 or 3, height, width), and its outputs, float32 (batch, classes)."""
MAX_ONNX_BYTES = 1 << 31
"""Bytes of the largest ONNX file: that of the format itself."""
ERROR_CODE = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ")
"""How they begin."""
SOURCE_LOCATION = re.compile(r"^/onnxruntime_src/\S+ .*?\) ", re.DOTALL)
"""How onnxruntime's messages name a place in its sources."""


class Predictor:
    """One exported ONNX file, loaded."""

    def __init__(self, file: Path, threads: int = 0) -> None:
        """Load `file` for `threads` threads (0: all cores); raises `UserError` where no search exported it."""
        if not is_file(file):
            raise UserError(f"model {shown(file)}: no such file")
        self._session, found = _open(file, threads)
        self.metadata: dict[str, str] = found
        """What the file says of itself."""
        if fault := _find_defect(self._session, self.metadata):
            raise UserError(f"model {shown(file)}: is not exported by a search: {fault}; {suggest_model_file(file)}")
        self.classes: tuple[str, ...] = tuple(json.loads(self.metadata["classes"]))
        """Class names, in the order of the outputs."""
        self.shape: tuple[int, int, int] = tuple(json.loads(self.metadata["shape"]))
        """Channels, height and width of the images it was trained on; others are fitted, which takes time."""

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Class probabilities (n, classes) of uint8 images (n, 1 or 3, height, width)."""
        return self._run(PROBABILITIES, images)

    def logits(self, images: NDArray[np.uint8], batch: int = 256) -> NDArray[np.float32]:
        """Logits (n, classes) of uint8 images (n, 1 or 3, height, width), `batch` of them at a time."""
        return np.concatenate([self._run(LOGITS, chunk) for chunk in chunks(images, batch)])

    def _run(self, output: str, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = self._session.run([output], {IMAGES: np.ascontiguousarray(images)})[0]
        return found


def chunks(images: NDArray[np.uint8], size: int) -> Iterator[NDArray[np.uint8]]:
    """`images` in order, `size` at a time."""
    return (images[start : start + size] for start in range(0, len(images), size))


def _open(file: Path, threads: int) -> tuple[Any, dict[str, str]]:
    """A session of onnxruntime and the file's metadata; raises `UserError` where the file is no model."""
    import onnxruntime

    content = read_file(file, MAX_ONNX_BYTES)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors
    try:
        with redirect_stdout(StringIO()):  # onnxruntime prints its retries
            # Of bytes it has no folder, where a file of somebody else could name others that it is to read.
            session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
            return session, session.get_modelmeta().custom_metadata_map
    except Exception as error:  # onnxruntime's own kinds of them are not public
        reason = describe_file(file) or f"no ONNX model, or a damaged one: {_one_line(error)}"
        raise UserError(
            f"model {shown(file)}: onnxruntime does not load it ({reason}); {suggest_model_file(file)}"
        ) from error


def _find_defect(session: Any, metadata: Mapping[str, str]) -> str:
    """What distinguishes a loaded model from one that a search exported; empty if nothing does."""
    given = [(value.name, value.type) for value in session.get_inputs()]
    if given != [(IMAGES, "tensor(uint8)")]:
        return f"its inputs are not {IMAGES!r}, uint8, alone"
    found = {value.name: value.shape for value in session.get_outputs()}
    if PROBABILITIES not in found:
        return f"it has no output {PROBABILITIES!r}"
    classes, shape = (_parsed(metadata.get(key, "")) for key in ("classes", "shape"))
    if not (classes and all(isinstance(name, str) for name in classes)):
        return "it names no classes"
    if not (len(shape) == 3 and all(isinstance(length, int) and length > 0 for length in shape)):
        return "it does not say what images it was trained on"
    last = found[PROBABILITIES][-1:]
    fits = last == [len(classes)] or not isinstance(last[0] if last else "", int)
    return "" if fits else f"it names {len(classes):,} classes and tells {last[0]:,} apart"


def _parsed(text: str) -> list[Any]:
    """A list in JSON; empty if the text is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return found if isinstance(found, list) else []


def _one_line(error: Exception) -> str:
    """First line of an onnxruntime error, without its code and the location in onnxruntime's sources."""
    said = SOURCE_LOCATION.sub("", ERROR_CODE.sub("", str(error)))
    return (said.strip().splitlines() or [type(error).__name__])[0].rstrip(".")[:200]
