"""Labelled images that a user gives for a trained classifier, in any form that a search takes, before decoding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from searchspace.cli.data_request import DataRequest
from searchspace.prediction.image_inputs import InputImage
from searchspace.spec import parse_record
from trainables.common.errors import UserError, suggest
from trainables.data.in_memory.array_data import ArrayData, is_array, read_arrays_of
from trainables.data.in_memory.data_given import as_array_data, as_data_option, is_frame, iterate_pairs
from trainables.data.in_memory.label_arrays import to_labels
from trainables.data.in_memory.table_frames import is_hub_data
from trainables.data.store.data_summary import DataSummary

if TYPE_CHECKING:
    from trainables.data.sources.source import Part

Split = Literal["train", "val", "test"]


class ReadOptions(TypedDict, total=False):
    """Options of reading labelled images; those of `searchspace data`."""

    on_bad_image: Literal["fail", "skip"]
    """Unusable images: an error, or left out."""
    image_column: str
    """Column of images or their paths."""
    label_column: str
    """Column of labels."""
    split_column: str
    """Column with train, val or test."""
    weight_column: str
    """Column with the weight of each image; all metrics are weighted by it."""
    root: str
    """Folder that a table's relative paths start from."""
    follow_links: bool
    """Whether links may lead out of the data folder."""
    max_pixels: int
    """Most pixels of a usable image."""


@dataclass(frozen=True)
class LabelledInputs:
    """Labelled images that were opened but not decoded."""

    images: Sequence[InputImage]
    """The images."""
    labels: NDArray[np.int64]
    """Class of each, by its place among the classifier's classes, shape (n,)."""
    split: str
    """Which split of the data they are; empty where the data have no splits."""
    weights: NDArray[np.float32] | None = None
    """Weight of each, shape (n,); None: 1 for all."""


def read_labelled(
    data: Any, trained_on: DataSummary, split: Split | None, options: Mapping[str, Any]
) -> LabelledInputs:
    """Labelled images in any form that a search takes; `split` says which of several splits, by default `test`.

    Raises `UserError` for what is no data, a class that the classifier does not have, or a split that is not there.
    """
    if isinstance(data, Mapping) and len(data) == 1 and not is_hub_data(data):
        data = next(iter(data.values()))  # of any split
    if isinstance(data, str) or hasattr(data, "__fspath__") or is_frame(data) or is_hub_data(data):
        return _read_source(data, trained_on, split, options)
    found = as_array_data(data)
    name = _choose_split(list(found.splits), split)
    images, labels = _read_memory(found, name)
    of = name if len(found.splits) > 1 else ""
    return LabelledInputs(images, match_labels(labels, found.classes, trained_on.classes), of)


def _read_source(data: Any, trained_on: DataSummary, split: Split | None, options: Mapping[str, Any]) -> LabelledInputs:
    from trainables.data.decoding.bad_images import bad_image_error
    from trainables.data.sources.source_registry import open_source

    given = as_data_option(data, str(options.get("root", "")))
    request = parse_record(DataRequest, {"data": given.data, **given.options, **options})
    raw = open_source(
        request.data, request.data_options.model_copy(update={"store_side": trained_on.options.store_side})
    )
    if raw.bad_images and request.on_bad_image == "fail":
        raise bad_image_error(request.data, raw.bad_images)
    name = _choose_split(list(raw.parts), split)
    part = raw.parts[name]
    labels = match_labels(part.labels, raw.classes, trained_on.classes)
    return LabelledInputs(_open_part(part), labels, name if len(raw.parts) > 1 else "", part.weights)


def _open_part(part: "Part") -> list[InputImage]:
    """The images of a part: encoded ones are decoded as the classifier's training decoded its own."""
    from trainables.data.decoding.decode import Decoder

    read = part.decode.contents if isinstance(part.decode, Decoder) else part.decode
    return [InputImage(part.name(row), partial(read, row)) for row in range(len(part.labels))]


def _read_memory(data: ArrayData, split: str) -> tuple[list[InputImage], NDArray[Any]]:
    images, labels = data.splits[split]
    if is_array(images):
        found = read_arrays_of(ArrayData((images, labels), classes=data.classes, channels=data.channels))["train"]
        return [InputImage(f"image {place}", image) for place, image in enumerate(found.images)], found.labels
    from trainables.data.in_memory.picture_lists import encode

    pairs = [(encode(image, f"image {n}", data.channels), label)
             for n, (image, label) in enumerate(iterate_pairs(split, (images, labels)))]  # fmt: skip
    inputs = [InputImage(f"image {place}", content) for place, (content, _) in enumerate(pairs)]
    return inputs, to_labels([label for _, label in pairs], len(pairs), data.classes, "labels")


def _choose_split(names: Sequence[str], given: Split | None) -> str:
    """The split to evaluate on: the one that is given, the only one, or test."""
    wanted = given or (names[0] if len(names) == 1 else "test")
    if wanted not in names:
        raise UserError(f"split={wanted!r}: the data have {', '.join(names)}; give split=, one of these")
    return wanted


def match_labels(labels: NDArray[Any], names: Sequence[str], classes: Sequence[str]) -> NDArray[np.int64]:
    """Labels (n,) as places among `classes`; they are numbers of `names`, or, where these are empty, names themselves.

    Whole numbers without names are names of classes if all of them are; else, if no class is called by a number, they
    are places among `classes`. Raises `UserError` that lists the labels that are no class.
    """
    if len(names):
        found = np.array([str(name) for name in names])[labels]
    elif labels.dtype.kind == "U":
        found = labels
    else:
        found = labels.astype(str)
        named = any(name.lstrip("-").isdecimal() for name in classes)
        if not named and labels.min(initial=0) >= 0 and labels.max(initial=0) < len(classes):
            return labels.astype(np.int64)
    places = {name: place for place, name in enumerate(classes)}
    unknown = [name for name in np.unique(found).tolist() if name not in places]
    if unknown:
        more = f" and {len(unknown) - 5:,} more" if len(unknown) > 5 else ""
        raise UserError(
            f"data: {', '.join(map(repr, unknown[:5]))}{more}: no class of this classifier, which has {len(classes):,} "
            f"({', '.join(map(repr, classes[:5]))}{' …' if len(classes) > 5 else ''}){suggest(unknown[0], classes)}"
        )
    return np.array([places[name] for name in found.tolist()], np.int64)
