"""Small copies of the test images that a report shows, stored in the winner's folder, so that a report needs no data.

They are written when the classifier is tested, for the report's selection: the worst mistakes, and the most uncertain
predictions.
"""

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Base64Bytes

from trainables.common.errors import DamagedError
from trainables.config import Frozen
from trainables.storage.files import read_record, write_file

THUMBNAILS_FILE = "test-images.json"
MAX_IMAGES = 16
"""Maximum number of images in each selection."""
MAX_SIDE = 96
"""Maximum side of a thumbnail, in pixels."""
PNG_START = b"\x89PNG\r\n\x1a\n"


class Thumbnails(Frozen):
    """Test images, and the predictions by which they were selected."""

    predictions: str
    """`predictions_digest` of those predictions."""
    images: dict[int, Base64Bytes]
    """PNG files by the image's position in the test split."""


def find_worst_mistakes(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions of up to `MAX_IMAGES` wrong predictions, the least probable true class first."""
    truth = probabilities[np.arange(len(labels)), labels]
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[np.argsort(truth[wrong], kind="stable")][:MAX_IMAGES]


def find_most_uncertain(probabilities: NDArray[Any]) -> NDArray[np.int64]:
    """Positions of up to `MAX_IMAGES` predictions, right or wrong, with the smallest margin to the second class."""
    two = np.partition(probabilities, -2, axis=1)[:, -2:]
    return np.argsort(two[:, 1] - two[:, 0], kind="stable")[:MAX_IMAGES]


def predictions_digest(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> str:
    """Digest of predictions, in float32, and labels."""
    digest = hashlib.blake2b(np.ascontiguousarray(probabilities, "<f4").tobytes(), digest_size=16)
    digest.update(np.ascontiguousarray(labels, "<i8").tobytes())
    return digest.hexdigest()


def write_thumbnails(
    folder: Path,
    images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
    probabilities: NDArray[Any],
    labels: NDArray[np.int64],
) -> None:
    """Write thumbnails of the test `images`, each (1 or 3, height, width), that a report of these predictions shows."""
    chosen = {*find_worst_mistakes(probabilities, labels).tolist(), *find_most_uncertain(probabilities).tolist()}
    small = {place: encode_png(images[place]) for place in sorted(chosen)}
    record = Thumbnails.model_construct(predictions=predictions_digest(probabilities, labels), images=small)
    write_file(folder / THUMBNAILS_FILE, record.model_dump_json().encode())


def read_thumbnails(folder: Path, probabilities: NDArray[Any], labels: NDArray[np.int64]) -> Mapping[int, bytes] | None:
    """PNG files by position; None if there are none, or those of other predictions. Raises `DamagedError`."""
    try:
        found = read_record(folder / THUMBNAILS_FILE, Thumbnails)
    except FileNotFoundError:
        return None
    for place, content in found.images.items():
        if not content.startswith(PNG_START):
            raise DamagedError(folder / THUMBNAILS_FILE, f"images.{place}: is no PNG file")
    return found.images if found.predictions == predictions_digest(probabilities, labels) else None


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """Encode a stored image (channels, height, width) as a small PNG."""
    picture = Image.fromarray(image[0] if len(image) == 1 else np.moveaxis(image, 0, -1))
    picture.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()
