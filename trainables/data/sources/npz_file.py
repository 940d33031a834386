"""A `.npz` file of images and labels, with the array names of MNIST's, MedMNIST's and scikit-learn's files.

With splits these are `x_train` and `y_train` (Keras' mnist.npz) or `train_images` and `train_labels` (MedMNIST);
without, `images` and `labels` or `data` and `target`. Types and shapes are checked by the arrays' headers before any
pixel is unpacked, and nothing is unpickled.
"""

import hashlib
import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trainables.common.errors import DamagedError, UserError
from trainables.common.escaping import decodable
from trainables.data.data_options import DataOptions
from trainables.data.decoding.decode import resize, resize_whole
from trainables.data.decoding.pixels import Image
from trainables.data.decoding.stored_size import StoredShape, choose_shape
from trainables.data.layouts.detected_layout import DetectedLayout, list_names
from trainables.data.layouts.image_files import FileKind, kind_by_name
from trainables.data.layouts.left_out import LeftOut, LeftOutReason
from trainables.data.layouts.listing import is_hidden, list_data_folders
from trainables.data.layouts.split_names import FILLER_WORDS, read_split_name, split_words
from trainables.data.sources.source import DataSource, Part, RawSet
from trainables.storage.arrays import ArrayHeader, read_array, read_headers

Role = Literal["images", "labels", "class names"]
ROLES: dict[str, Role] = {
    **dict.fromkeys(("x", "images", "image", "imgs", "img", "data", "pixels", "pictures"), "images"),
    **dict.fromkeys(("y", "labels", "label", "target", "targets", "class"), "labels"),
}  # fmt: skip
"""What an array is for, by the word in its name beside that of its split."""
CLASS_NAMES = frozenset({"classes", "class_names", "label_names", "target_names"})
"""Names of an array with the class names, in label order."""
EXPECTED = (
    "expected x_train and y_train (with x_val, y_val, x_test, y_test or not), train_images and train_labels, or "
    "images and labels"
)
Headers = Mapping[str, ArrayHeader]
Labels = dict[str, NDArray[np.int64]]


@dataclass(frozen=True)
class _Keys:
    """Names of the arrays of a data set."""

    splits: dict[str, tuple[str, str]]
    """Of each split: its images and its labels."""
    class_names: str
    """The class names; empty if there are none."""
    unlabelled: tuple[str, ...]
    """Images of splits without labels."""

    def left_out(self, file: Path, headers: Headers) -> tuple[LeftOut, ...]:
        """The arrays that are not used."""
        used = {self.class_names, *(key for keys in self.splits.values() for key in keys)}
        reasons = dict.fromkeys(self.unlabelled, LeftOutReason.UNLABELLED_SPLIT)
        others = [key for key in headers if key not in used]
        return tuple(LeftOut(f"{file}[{key}]", reasons.get(key, LeftOutReason.NO_IMAGE), key) for key in others)


def is_npz(path: Path) -> bool:
    """Whether a path is a `.npz` file, or a folder (such as the copy of a URL) with one, no images and no folders."""
    return path.suffix.lower() == ".npz" if path.is_file() else _find_file(path) is not None


def open_npz(path: Path, options: DataOptions) -> RawSet:
    """Open a `.npz` file; raises `UserError` for arrays that are missing, ambiguous, or of another type or shape."""
    where, file = f"--data {str(path)!r}", (_find_file(path) or path).resolve()
    try:
        headers = read_headers(file)
        keys = _find_keys(where, headers)
        shapes = {split: _check_images(where, images, headers[images]) for split, (images, _) in keys.splits.items()}
        classes, labels = _read_labels(where, file, keys, headers)
    except DamagedError as error:
        raise UserError(f"{where}: {error.what}") from error
    channels = _common_channels(where, shapes)
    sizes = {split: (height, width) for split, (height, width, _) in shapes.items()}
    counted = [sizes[split] for split in labels for _ in labels[split]]
    stored = choose_shape(counted, channels, options.store_side, options.keep_aspect)
    parts = {}
    for split, (key, _) in keys.splits.items():
        images = _ArrayImages(file, key, headers[key], stored)
        parts[split] = Part(labels[split], images, images.name, size=images.size)
    stat = file.stat()
    identity = repr((file.name, stat.st_size, stat.st_mtime_ns, sorted(keys.splits.items()), keys.class_names))
    return RawSet(
        name=decodable(file.stem), classes=classes, parts=parts, channels=channels, height=stored.height,
        width=stored.width, whole=stored.whole,
        identity=f"npz {hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()}",
        layout=DetectedLayout(
            sources={split: "/".join(found) for split, found in keys.splits.items()},
            left_out=keys.left_out(file, headers),
        ),
    )  # fmt: skip


SOURCE = DataSource(summary="a .npz file of arrays", recognizes=is_npz, open=open_npz)


@dataclass(frozen=True)
class _ArrayImages:
    """Images of one array by row, resized to the stored shape; the array is unpacked at the first use."""

    file: Path
    key: str
    header: ArrayHeader
    stored: StoredShape
    """What images are resized to."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _loaded: list[NDArray[np.uint8]] = field(default_factory=list)

    def __call__(self, row: int) -> Image:
        """One image as uint8 (height, width, channels); raises `DamagedError` where the file changed or is damaged."""
        with self._lock:
            if not self._loaded:
                self._loaded.append(self._load())
        image = self._loaded[0][row]
        image = image[..., None] if image.ndim == 2 else image
        if self.stored.whole:
            return resize_whole(image, self.stored.whole.side)
        return resize(image, self.stored.height, self.stored.width)

    def name(self, row: int) -> str:
        """What to call an image in messages."""
        return f"{self.key}[{row}]"

    def size(self, _row: int) -> tuple[int, int]:
        """Height and width of an image before it is resized."""
        return self.header.shape[1], self.header.shape[2]

    def _load(self) -> NDArray[np.uint8]:
        images = read_array(self.file, self.key)
        if (images.shape, images.dtype) != (self.header.shape, self.header.dtype):
            raise DamagedError(self.file, f"array {self.key!r} changed while it was read")
        return images


def _find_file(path: Path) -> Path | None:
    """The only `.npz` file of a folder without images and folders; None for anything else."""
    try:
        files = [file for file in path.iterdir() if not is_hidden(file.name)] if path.is_dir() else []
        packed = [file for file in files if file.suffix.lower() == ".npz" and file.is_file()]
        images = any(kind_by_name(file.name) == FileKind.IMAGE for file in files)
        return packed[0] if len(packed) == 1 and not images and not list_data_folders(path) else None
    except OSError:  # reported where the folder is listed to be read
        return None


def _parse_key(key: str) -> tuple[str, Role] | None:
    """Split (empty where the name says none) and role of an array, by its name; None where that is not sure."""
    words, split = split_words(key), read_split_name(key)
    rest = [word for word in words if not read_split_name(word)]
    if split is None and len(rest) < len(words):
        return None  # words of several splits
    if "_".join(rest) in CLASS_NAMES:
        return "", "class names"
    roles = [ROLES[word] for word in rest if word in ROLES]
    others = [word for word in rest if word not in ROLES and word not in FILLER_WORDS]
    return (split.split if split else "", roles[0]) if len(roles) == 1 and not others else None


def _find_keys(where: str, headers: Headers) -> _Keys:
    """Which array is for what; raises `UserError` where that is not sure."""
    found: dict[str, dict[Role, list[str]]] = defaultdict(lambda: defaultdict(list))
    for key in headers:
        if parsed := _parse_key(key):
            found[parsed[0]][parsed[1]].append(key)
    splits: dict[str, tuple[str, str]] = {}
    unlabelled: list[str] = []
    for split, roles in found.items():
        # scikit-learn's digits hold the same images flattened, too.
        images = [key for key in roles["images"] if len(headers[key].shape) > 2] or roles["images"]
        if images and roles["labels"]:
            splits[split] = _choose(where, images), _choose(where, roles["labels"])
        else:
            unlabelled += images
    if list(splits) == [""]:
        splits = {"train": splits[""]}
    if "train" not in splits or "" in splits:
        raise UserError(f"{where}: which arrays are train's is not clear, of {list_names(list(headers))}; {EXPECTED}")
    order: tuple[str, ...] = ("train", "val", "test")
    ordered = {split: splits[split] for split in order if split in splits}
    class_names = found[""]["class names"]
    return _Keys(ordered, _choose(where, class_names) if class_names else "", tuple(unlabelled))


def _choose(where: str, keys: list[str]) -> str:
    """The one of some arrays for the same purpose; raises `UserError` where there are several."""
    if len(keys) > 1:
        raise UserError(f"{where}: arrays {list_names(keys)} have the same purpose; save the file with one of them")
    return keys[0]


def _check_images(where: str, key: str, header: ArrayHeader) -> tuple[int, int, int]:
    """Height, width and channels of the images in an array; raises `UserError` where it holds no images."""
    shape, said = header.shape, f"{where}: array {key!r} is {header.dtype} {header.shape}"
    if header.dtype != np.uint8:
        raise UserError(f"{said}; images are uint8 from 0 to 255: save, say, (255 * x).round().astype('uint8')")
    if len(shape) not in {3, 4} or (len(shape) == 4 and shape[3] not in {1, 3}) or not all(shape):
        transposed = len(shape) == 4 and shape[1] in {1, 3}
        remedy = "x.transpose(0, 2, 3, 1)" if transposed else "x.reshape(...) or x[..., :3]"
        raise UserError(f"{said}; images are N x height x width, or that x 1 or x 3: save {remedy}")
    return shape[1], shape[2], shape[3] if len(shape) == 4 else 1


def _common_channels(where: str, shapes: Mapping[str, tuple[int, int, int]]) -> int:
    found = {split: shape[2] for split, shape in shapes.items()}
    if len(set(found.values())) > 1:
        said = ", ".join(f"{count} in {split}" for split, count in found.items())
        raise UserError(f"{where}: the number of channels differs ({said}); save all splits grey, or all as RGB")
    return found["train"]


def _read_labels(where: str, file: Path, keys: _Keys, headers: Headers) -> tuple[tuple[str, ...], Labels]:
    """Class names, and labels of each split by class; raises `UserError` for arrays that hold no labels."""
    found = {}
    for split, (images, key) in keys.splits.items():
        _check_labels(where, key, headers[key], headers[images].shape[0])
        found[split] = _read_values(file, key)
        if found[split].dtype.kind == "i" and found[split].min() < 0:
            raise UserError(f"{where}: array {key!r} has the label {found[split].min()}; leave unlabelled images out")
    if keys.class_names and found["train"].dtype.kind != "U":
        _check_labels(where, keys.class_names, headers[keys.class_names])
        names = _read_values(file, keys.class_names)
        return _as_names(names), {split: values.astype(np.int64) for split, values in found.items()}
    known = np.unique(found["train"])
    for split, values in found.items():
        if len(strange := np.setdiff1d(values, known)):
            raise UserError(f"{where}: no image of train has the label {list_names(_as_names(strange))} of {split}")
    return _as_names(known), {split: np.searchsorted(known, values) for split, values in found.items()}


def _check_labels(where: str, key: str, header: ArrayHeader, count: int | None = None) -> None:
    """Raise `UserError` for an array that does not hold one integer or text for each of `count` images."""
    shape, said = header.shape, f"{where}: array {key!r} is {header.dtype} {header.shape}"
    if header.dtype.kind == "O":
        raise UserError(f"{said}: pickled objects, which are never read; save y.astype(str), or integers")
    if header.dtype.kind not in "iubUS":
        raise UserError(f"{said}; labels are integers or text: save y.astype('int64')")
    if len(shape) not in {1, 2} or (len(shape) == 2 and shape[1] != 1):
        raise UserError(f"{said}; an image has one label: of one-hot rows, save y.argmax(axis=1)")
    if count is not None and shape[0] != count:
        raise UserError(f"{said}, for {count:,} images; save one label for each image")


def _read_values(file: Path, key: str) -> NDArray[Any]:
    """One integer or text for each row of an array."""
    values = read_array(file, key).reshape(-1)
    return np.char.decode(values, "utf-8", "replace") if values.dtype.kind == "S" else values


def _as_names(values: NDArray[Any]) -> tuple[str, ...]:
    return tuple(decodable(str(value)) for value in values)
