"""Images and labels in memory, in splits that are given or not: arrays, tensors, or lists of pictures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.data.in_memory.kept_files import find_kept, keep, new_digest, writing
from trainables.data.in_memory.label_arrays import to_labels
from trainables.data.in_memory.pixel_arrays import ChannelAxis, channels_last, to_pixels

ARRAYS_FILE = "arrays.npz"
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class ArrayData:
    """Images and labels in memory, and what they alone do not say: names of classes, order of axes.

    Each split is a pair of images and labels. Images are uint8 from 0 to 255: an array or tensor (n, h, w),
    (n, h, w, c) or (n, c, h, w), where c is 1 or 3; or a list of PIL images or of arrays (h, w), (h, w, c) or
    (c, h, w), of any sizes. Labels are n class numbers or class names. Splits that are missing are drawn from `train`.
    """

    train: tuple[Any, Any]
    """Images and labels to train on."""
    val: tuple[Any, Any] | None = None
    """Those to validate on; None: drawn from train."""
    test: tuple[Any, Any] | None = None
    """Those of the locked test; None: drawn from train."""
    classes: Sequence[str] = ()
    """Names of the classes, by number; empty: the labels are their names."""
    channels: ChannelAxis | None = None
    """Which axis of an image has the channels, "first" or "last"; None: the only one that can be."""

    @property
    def splits(self) -> dict[str, tuple[Any, Any]]:
        """The splits that are given, by name."""
        return {name: part for name in SPLITS if (part := getattr(self, name)) is not None}


@dataclass(frozen=True)
class LabelledPixels:
    """One split as arrays."""

    images: NDArray[np.uint8]
    """Shape (n, h, w, c)."""
    labels: NDArray[Any]
    """Shape (n,): class numbers, int64, or names."""


def is_array(value: Any) -> bool:
    """Whether a value is an array or tensor; numpy's texts have the attributes of one."""
    return not isinstance(value, str) and hasattr(value, "shape") and hasattr(value, "dtype") and hasattr(value, "ndim")


def read_arrays_of(data: ArrayData) -> dict[str, LabelledPixels]:
    """The splits, of which each is one array; raises `UserError` for what is no images, or no labels of them."""
    found = {}
    for split, (images, labels) in data.splits.items():
        pixels = channels_last(to_pixels(images, f"{split} images"), data.channels, f"{split} images")
        found[split] = LabelledPixels(pixels, to_labels(labels, len(pixels), data.classes, f"{split} labels"))
    return found


def keep_arrays(data: ArrayData) -> str:
    """Keep arrays as a .npz file; returns its path. The same data have the same file."""
    parts = read_arrays_of(data)
    arrays = dict(_arrays_to_keep(parts, data.classes))
    digest = new_digest()
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        for start in range(0, len(array), 1024):
            digest.update(np.ascontiguousarray(array[start : start + 1024]).data)
    if kept := find_kept(digest.hexdigest(), ARRAYS_FILE):
        return str(kept)
    with writing() as folder:
        np.savez(folder / ARRAYS_FILE, **arrays)  # type: ignore[arg-type]  # numpy's stub has a keyword of its own
        return str(keep(folder, digest.hexdigest(), ARRAYS_FILE))


def _arrays_to_keep(
    parts: Mapping[str, LabelledPixels], classes: Sequence[str]
) -> Iterator[tuple[str, NDArray[Any]]]:  # fmt: skip
    """The arrays of a .npz file, by the names that its reader knows."""
    for split, part in parts.items():
        yield f"x_{split}", part.images
        yield f"y_{split}", part.labels
    if len(classes):
        yield "classes", np.array([str(name) for name in classes])
