"""What is given as data from Python, as what `--data` takes: data in memory are kept as files of the cache first."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainables.common.errors import UserError
from trainables.data.in_memory.array_data import SPLITS, ArrayData, is_array, keep_arrays
from trainables.data.in_memory.picture_lists import Pairs, keep_pictures
from trainables.data.in_memory.table_frames import is_hub_data, keep_frame, keep_hub_data
from trainables.data.layouts.split_names import read_split_name

TAKEN = (
    "give a name, path or URL, a data frame of paths and labels, a pair (images, labels), a dictionary of such pairs "
    "by split, an ArrayData, or a map-style data set of torch or Hugging Face"
)


@dataclass(frozen=True)
class DataGiven:
    """Data as options of a command."""

    data: str
    """The option `--data`."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Options of reading the data that go with it, by name, unless they are given otherwise."""


def as_data_option(data: Any, root: str = "") -> DataGiven:
    """What `--data` takes for `data`; data in memory are written once into the cache, by a digest of their content.

    Relative paths of a data frame start from `root`, else from the working folder. Raises `UserError` for anything that
    is no data, or not sure.
    """
    if isinstance(data, str | os.PathLike):
        return DataGiven(os.fspath(data))
    if is_frame(data):
        return DataGiven(keep_frame(data), {} if root else {"root": str(Path.cwd())})
    if is_hub_data(data):
        return DataGiven(keep_hub_data(data))
    return DataGiven(_keep_splits(as_array_data(data)))


def is_frame(data: Any) -> bool:
    """Whether it is a data frame of pandas."""
    return type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "columns")


def as_array_data(data: Any) -> ArrayData:
    """Images and labels in any of the forms that are taken; raises `UserError` for other things."""
    if isinstance(data, ArrayData):
        return data
    if isinstance(data, Mapping):
        return ArrayData(**_split_pairs(data))
    if type(data).__module__.partition(".")[0] == "datasets":
        raise UserError(
            f"data: {type(data).__name__} is read row by row and has no end that is known; load it whole, by "
            "load_dataset(..., streaming=False), or Dataset.from_generator"
        )
    if isinstance(data, Sequence | tuple) and len(data) == 2 and not isinstance(data, str | bytes):
        return ArrayData(train=(data[0], data[1]))
    if _is_map_style(data):
        return ArrayData(train=(data, None), classes=_classes_of(data))
    raise UserError(f"data: {type(data).__name__}; {TAKEN}")


def _split_pairs(data: Mapping[Any, Any]) -> dict[str, Any]:
    """Fields of `ArrayData` from a dictionary of splits."""
    found: dict[str, Any] = {}
    for name, part in data.items():
        split = read_split_name(str(name))
        if split is None or split.split in found:
            raise UserError(f"data: {name!r} is not one of {', '.join(SPLITS)}, or there twice; {TAKEN}")
        if _is_map_style(part):
            found |= {split.split: (part, None), "classes": found.get("classes") or _classes_of(part)}
        elif isinstance(part, Sequence) and len(part) == 2:
            found[split.split] = (part[0], part[1])
        else:
            raise UserError(f"data: {name!r} is {type(part).__name__}; expected a pair (images, labels)")
    if "train" not in found:
        raise UserError(f"data: has {', '.join(map(repr, data))}, and no 'train'")
    return found


def _is_map_style(data: Any) -> bool:
    """Whether it gives pairs of image and label by number, as torch's data sets do."""
    is_other = isinstance(data, str | bytes | Mapping | list | tuple) or is_array(data) or is_frame(data)
    return not is_other and hasattr(data, "__getitem__") and hasattr(data, "__len__")


def _classes_of(data: Any) -> tuple[str, ...]:
    """Class names of a data set of torchvision, or of the one that it is a part of; empty where it has none."""
    while not hasattr(data, "classes") and hasattr(data, "dataset"):
        data = data.dataset
    return tuple(str(name) for name in getattr(data, "classes", ()))


def _keep_splits(data: ArrayData) -> str:
    """Keep whole arrays as a .npz file, everything else as tables of images."""
    if all(is_array(images) for images, _ in data.splits.values()):
        return keep_arrays(data)
    pairs = {split: iterate_pairs(split, part) for split, part in data.splits.items()}
    return keep_pictures(pairs, data.classes, data.channels)


def iterate_pairs(split: str, part: tuple[Any, Any]) -> Pairs:
    """Pairs of image and label of one split."""
    images, labels = part
    if labels is None:
        return _iterate_items(split, images)
    if len(images) != len(labels):
        raise UserError(f"{split}: {len(images):,} images and {len(labels):,} labels; give one label for each image")
    return zip(images, labels, strict=True)


def _iterate_items(split: str, data: Any) -> Iterator[tuple[Any, Any]]:
    for place in range(len(data)):
        item = data[place]
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise UserError(f"{split}: item {place} is {type(item).__name__}; expected a pair (image, label)")
        yield item[0], item[1]
