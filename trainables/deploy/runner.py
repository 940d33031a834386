"""An exported classifier at work: raw images in, probabilities out, by onnxruntime and numpy alone.

What the file needs no code for stays in the file: it fits images of any size and either kind, grey or RGB, and its
metadata names its classes.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.errors import UserError

IMAGES, LOGITS, PROBABILITIES = "images", "logits", "probabilities"
"""An artefact's input, uint8 (batch, 1 or 3, height, width), and its outputs, float32 (batch, classes)."""


class Runner:
    """One ONNX artefact, loaded."""

    def __init__(self, file: Path, threads: int = 0) -> None:
        """Load `file`, for so many threads (0: all cores); raises `UserError` where it is no artefact of a search."""
        import onnxruntime

        if not file.is_file():
            raise UserError(f"model {str(file)!r}: no such file")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own kinds of them are not public
            raise UserError(f"model {str(file)!r}: onnxruntime does not load it ({_one_line(error)})") from error
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        """What the file says of itself."""
        if "classes" not in self.metadata or [i.name for i in self._session.get_inputs()] != [IMAGES]:
            raise UserError(f"model {str(file)!r}: is not exported by a search: it names no classes")
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


def _one_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
