"""Prediction with an exported classifier: raw images in, probabilities out, by onnxruntime and numpy alone.

The file itself resizes images of any size, grey or RGB, and its metadata names its classes.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image as Picture

from trainables.common.errors import UserError
from trainables.common.escaping import shown
from trainables.data.decoding.decode import decode, decode_whole, resize, resize_whole
from trainables.data.decoding.decode_limits import DEFAULT_LIMITS, DecodeLimits
from trainables.data.decoding.pixels import convert_picture
from trainables.data.loading.square_fit import FIT_KINDS, SquareFit, fit_image
from trainables.export.unsupported_files import describe_file, suggest_model_file
from trainables.storage.files import is_file, read_file

IMAGES, LOGITS, PROBABILITIES = "images", "logits", "probabilities"
"""An artefact's input, uint8 (batch, 1 or 3, height, width), and its outputs, float32 (batch, classes)."""
MAX_ONNX_BYTES = 1 << 31
"""Bytes of the largest ONNX file: that of the format itself."""
MAX_SIDE = 1 << 13
"""Largest side of a stored image or a square, in pixels."""
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
        """Channels, height and width of the images that it takes with the least resizing."""
        self.fits: tuple[SquareFit, ...] = read_fits(self.metadata, self.shape[0])
        """Ways in which it makes squares of images; none for one that was trained on images of one shape."""
        self.store_side: int = int(self.metadata.get("store_side", 0))
        """Shorter side of the images that it makes squares of, in pixels, at most."""

    def read_image(self, content: bytes | Path, name: str, limits: DecodeLimits = DEFAULT_LIMITS) -> NDArray[np.uint8]:
        """An encoded image, uint8 (c, h, w), decoded as for training, so that as little as possible is left to do.

        Raises what `decode` raises.
        """
        return self.fit(self.read_stored(content, name, limits))

    def read_stored(self, content: bytes | Path, name: str, limits: DecodeLimits = DEFAULT_LIMITS) -> NDArray[np.uint8]:
        """An encoded image, uint8 (c, h, w), as training stores it; raises what `decode` raises."""
        channels, height, width = self.shape
        if self.fits:
            return decode_whole(content, name, self.store_side, channels, limits).transpose(2, 0, 1)
        return decode(content, name, (height, width, channels), limits).transpose(2, 0, 1)

    def store_picture(self, picture: Picture) -> NDArray[np.uint8]:
        """A picture in memory, of any mode, as `read_stored` returns it; raises what Pillow raises for damaged ones.

        Also ValueError for pixels whose scale is not known.
        """
        channels, height, width = self.shape
        pixels = np.asarray(convert_picture(picture, channels), np.uint8)
        image = pixels[..., None] if pixels.ndim == 2 else pixels
        stored = resize_whole(image, self.store_side) if self.fits else resize(image, height, width)
        return stored.transpose(2, 0, 1)

    def fit(self, stored: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A stored image (c, h, w) as the network sees it, where it sees all in one way; else as it is."""
        if len(self.fits) != 1 or self.fits[0].side > self.store_side:
            return stored
        square = np.empty(self.shape, np.uint8)
        fit_image(stored, self.fits[0], square)
        return square

    def classify(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Class probabilities (n, classes) of uint8 images (c, h, w) of any sizes; those of one size in one run."""
        groups: dict[tuple[int, ...], list[int]] = {}
        for place, image in enumerate(images):
            groups.setdefault(image.shape, []).append(place)
        found = np.empty((len(images), len(self.classes)), np.float32)
        for group in groups.values():
            found[group] = self.probabilities(np.stack([images[place] for place in group]))
        return found

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
    return (
        _find_unknown_fit(metadata, shape[0])
        if fits
        else f"it names {len(classes):,} classes and tells {last[0]:,} apart"
    )


def _find_unknown_fit(metadata: Mapping[str, str], channels: int) -> str:
    """What a file's metadata lack of how images become squares; empty if nothing, or if they do not."""
    try:
        fits, store_side = read_fits(metadata, channels), int(metadata.get("store_side", 0))
    except (ValueError, TypeError, KeyError):
        return "it does not say how images become squares"
    known = not fits or 0 < store_side <= MAX_SIDE
    return "" if known else "it does not say how large images are before they become squares"


def read_fits(metadata: Mapping[str, str], channels: int) -> tuple[SquareFit, ...]:
    """The ways in which a file makes squares of images; raises ValueError where they cannot be read."""
    fits = []
    for found in _parsed(metadata.get("fits", "[]")):
        kind, side, crop, fill = (found[name] for name in ("kind", "side", "crop", "fill"))
        whole = all(isinstance(number, int) and 0 <= number <= 255 for number in fill)
        if kind not in FIT_KINDS or not (0 < side <= MAX_SIDE and 0 < crop <= 1 and whole):
            raise ValueError(f"fit {found!r}")
        if len(fill) != (channels if kind == "pad" else 0):
            raise ValueError(f"fill {fill!r}")
        fits.append(SquareFit(kind, int(side), float(crop), tuple(fill)))
    return tuple(fits)


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
