"""Class probabilities on disk: written by a worker, read by the driver, which imports no torch for that."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.common.errors import DamagedError
from trainables.common.escaping import write_csv
from trainables.storage.arrays import read_arrays
from trainables.storage.files import replacing_text

TEST_PERMIT = "test-opened.json"
"""File that the finals write once, when the winner is retrained; without it the store keeps the test split locked."""
PREDICTIONS = "test-predictions.npz"
PREDICTIONS_TABLE = "test-predictions.csv"
"""The predictions as text, one row an image."""
VALIDATION_PREDICTIONS = "val-predictions.npz"
"""The same of a final, for its validation images or its fold, with their rows in the store."""
PROBABILITY_TOLERANCE = 1e-3
"""How far a probability may exceed 1 by rounding."""
MAX_CLASS_COLUMNS = 100
"""Classes up to which each has a column of probabilities in the table; of more, only the likeliest are named."""
NAMED_CLASSES = 5
"""Likeliest classes that are named for each image where not every class has a column."""
LUMA_WEIGHTS = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in brightness (ITU-R BT.601)."""
BRIGHTNESS_CHUNK = 256
"""Images whose brightness is computed at once."""


@dataclass(frozen=True)
class ImageDetails:
    """Details of the test images besides their classes, in the order of the predictions."""

    paths: tuple[str, ...]
    """Path within the data folder, or part and row: `test[12]`."""
    sizes: NDArray[np.int64] | None
    """Height and width before it was stored, in pixels (n, 2); None where that is not known."""
    brightness: NDArray[np.float32]
    """Mean of the stored pixels' luma, from 0 to 1."""
    contrast: NDArray[np.float32]
    """Standard deviation of the stored pixels' luma, from 0 to 1."""


MAX_FLOAT_BYTES = 8
"""Bytes of the widest float that is read; numpy does not support wider ones everywhere."""


def read_predictions(folder: Path, file: str = PREDICTIONS) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Probabilities (n, classes) and labels (n,) in `folder`; raises `DamagedError` for arrays of any other form."""
    arrays = read_arrays(folder / file)
    found = _array(folder / file, arrays, "probabilities", "f", 2)
    labels = _array(folder / file, arrays, "labels", "i", 1)
    if len(found) != len(labels) or not len(found) or found.shape[1] < 2:
        raise DamagedError(folder / file, f"has {found.shape} probabilities for {len(labels):,} labels")
    if labels.min() < 0 or labels.max() >= found.shape[1]:
        raise DamagedError(folder / file, "has a label out of range")
    if not (np.isfinite(found).all() and found.min() >= 0 and found.max() <= 1 + PROBABILITY_TOLERANCE):
        raise DamagedError(folder / file, "has probabilities that are none")
    return found, labels


def read_rows(folder: Path) -> NDArray[np.int64]:
    """Rows of the store that the validation predictions in `folder` are for; raises `DamagedError` without them."""
    return _array(folder / VALIDATION_PREDICTIONS, read_arrays(folder / VALIDATION_PREDICTIONS), "rows", "i", 1)


def read_weights(folder: Path, file: str = PREDICTIONS) -> NDArray[np.float32] | None:
    """Weights of the images of the predictions in `folder` (n,); None where scores are not weighted.

    Raises `DamagedError` for weights that are none.
    """
    arrays = read_arrays(folder / file)
    if "weights" not in arrays:
        return None
    found = _array(folder / file, arrays, "weights", "f", 1)
    count = len(_array(folder / file, arrays, "labels", "i", 1))
    if len(found) != count or not (np.isfinite(found).all() and found.min() >= 0 and found.any()):
        raise DamagedError(folder / file, f"has {found.shape} weights for {count:,} labels, or such as are none")
    return found


def _array(file: Path, arrays: dict[str, NDArray[Any]], name: str, kind: str, axes: int) -> NDArray[Any]:
    """One of the arrays that were read; raises `DamagedError` where it is missing or of another type or shape."""
    found = arrays.get(name)
    if (
        found is None
        or found.dtype.kind != kind
        or found.ndim != axes
        or (kind == "f" and found.itemsize > MAX_FLOAT_BYTES)
    ):
        form = "is missing" if found is None else f"is {found.dtype} with {found.ndim} axes"
        raise DamagedError(file, f"{name}: {form}")
    return found


def read_test_image_info(folder: Path) -> ImageDetails | None:
    """Details of the test images whose predictions are in `folder`; None where they were not recorded."""
    file = folder / PREDICTIONS
    found = read_arrays(file)
    if not {"paths", "brightness", "contrast"} <= set(found):
        return None
    paths = _array(file, found, "paths", "U", 1)
    light = [_array(file, found, name, "f", 1) for name in ("brightness", "contrast")]
    sizes = _array(file, found, "sizes", "i", 2) if "sizes" in found else None
    count = len(_array(file, found, "labels", "i", 1))
    if {len(paths), *map(len, light)} != {count} or (sizes is not None and sizes.shape != (count, 2)):
        raise DamagedError(file, f"does not tell as much of each of its {count:,} images")
    return ImageDetails(tuple(paths.tolist()), sizes, light[0], light[1])


def measure_brightness(images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Brightness and contrast of uint8 images (n, 1 or 3, height, width): mean and deviation of luma, 0 to 1."""
    weights = np.array(LUMA_WEIGHTS if images.shape[1] == len(LUMA_WEIGHTS) else (1.0,), np.float32) / 255
    means, deviations = np.empty(len(images), np.float32), np.empty(len(images), np.float32)
    for start in range(0, len(images), BRIGHTNESS_CHUNK):
        luma = np.tensordot(images[start : start + BRIGHTNESS_CHUNK].astype(np.float32), weights, axes=(1, 0))
        means[start : start + BRIGHTNESS_CHUNK] = luma.mean(axis=(1, 2))
        deviations[start : start + BRIGHTNESS_CHUNK] = luma.std(axis=(1, 2))
    return means, deviations


def write_table(
    file: Path, paths: tuple[str, ...], labels: NDArray[np.int64], probabilities: NDArray[Any], classes: tuple[str, ...]
) -> None:
    r"""Write a row an image, CSV in UTF-8: path, label, prediction, probability (of the prediction), probabilities.

    Up to `MAX_CLASS_COLUMNS` classes have a column each, `p_CLASS`; of more, the next likeliest four stand with theirs.
    Cells are as `as_cell` makes them.
    """
    with replacing_text(file, newline="") as out:
        write_csv(out, _table_rows(paths, labels, probabilities, classes))


def _table_rows(
    paths: tuple[str, ...], labels: NDArray[np.int64], probabilities: NDArray[Any], classes: tuple[str, ...]
) -> Iterator[list[str]]:
    many = len(classes) > MAX_CLASS_COLUMNS
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :NAMED_CLASSES]
    ranked = [f"{what}_{rank}" for rank in range(2, order.shape[1] + 1) for what in ("prediction", "probability")]
    rest = ranked if many else [f"p_{name}" for name in classes]
    yield ["path", "label", "prediction", "probability", *rest]
    for path, label, best, row in zip(paths, labels.tolist(), order.tolist(), probabilities, strict=True):
        named = [cell for place in best for cell in (classes[place], f"{row[place]:.6g}")]
        every = named if many else [*named[:2], *(f"{value:.6g}" for value in row)]
        yield [path, classes[label], *every]
