"""Lists of pictures with labels, and data sets of torch that give such pairs, kept as tables of PNG images."""

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image as Picture
from PIL.Image import fromarray

from trainables.common.errors import UserError
from trainables.data.decoding.bad_images import BadImageCause, BadImageError
from trainables.data.decoding.pixels import convert_picture, is_grey
from trainables.data.in_memory.kept_files import digest_folder, keep, writing
from trainables.data.in_memory.label_arrays import to_labels
from trainables.data.in_memory.pixel_arrays import ChannelAxis, find_channel_axis, to_pixels

IMAGES_FOLDER = "images"
ROWS = 1000
"""Images of a row group."""
TAKEN = "give PIL images, or uint8 arrays or tensors; leave out transforms to floats, such as ToTensor"
Pairs = Iterable[tuple[Any, Any]]


def keep_pictures(splits: dict[str, Pairs], classes: Sequence[str], channels: ChannelAxis | None) -> str:
    """Keep each split's pairs of picture and label as a parquet file; returns their folder's path.

    Raises `UserError` for what is no picture or no label.
    """
    with writing() as folder:
        (folder / IMAGES_FOLDER).mkdir()
        for split, pairs in splits.items():
            _write_split(folder / IMAGES_FOLDER / f"{split}-00000-of-00001.parquet", split, pairs, classes, channels)
        return str(keep(folder, digest_folder(folder), IMAGES_FOLDER))


def _write_split(file: Path, split: str, pairs: Pairs, classes: Sequence[str], channels: ChannelAxis | None) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer: Any = None
    try:
        for images, labels in _chunks(split, pairs, channels):
            found = to_labels(labels, len(images), classes, f"{split} labels")
            columns = {"image": [{"bytes": content, "path": None} for content in images], "label": found.tolist()}
            table = pa.table(columns, schema=_schema(found.dtype.kind == "U", classes))
            writer = writer or pq.ParquetWriter(file, table.schema)
            writer.write_table(table)
    except pa.ArrowInvalid as error:
        said = f"{split} labels: are of several types ({error})"
        raise UserError(f"{said}; give numbers alone, or names alone") from error
    finally:
        if writer is not None:
            writer.close()
    if writer is None:
        raise UserError(f"{split}: holds no images")


def _schema(named: bool, classes: Sequence[str]) -> Any:
    """Columns as Hugging Face's `datasets` writes them, with the names of the classes."""
    import pyarrow as pa

    label: dict[str, Any] = {"dtype": "string" if named else "int64", "_type": "Value"}
    if len(classes):
        label = {"names": [str(name) for name in classes], "_type": "ClassLabel"}
    features = {"image": {"_type": "Image"}, "label": label}
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    fields = [("image", image), ("label", pa.string() if named else pa.int64())]
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})


def _chunks(split: str, pairs: Pairs, channels: ChannelAxis | None) -> Iterator[tuple[list[bytes], list[Any]]]:
    """Encoded images and labels, `ROWS` at a time."""
    images: list[bytes] = []
    labels: list[Any] = []
    for place, (image, label) in enumerate(pairs):
        images.append(encode(image, f"{split} image {place}", channels))
        labels.append(label)
        if len(images) == ROWS:
            yield images, labels
            images, labels = [], []
    if images:
        yield images, labels


def encode(image: Any, what: str, channels: ChannelAxis | None) -> bytes:
    """A picture or array as PNG, without loss: upright, grey or RGB, transparent parts on white, as it is read.

    Raises `UserError`, beginning with `what`, for anything else, and `BadImageError` for a damaged picture.
    """
    picture = image if isinstance(image, Picture) else _from_array(image, what, channels)
    out = io.BytesIO()
    try:
        convert_picture(picture, 1 if is_grey(picture) else 3).save(out, "PNG", compress_level=1)
    except (OSError, ValueError, SyntaxError) as error:  # what Pillow raises for damaged content
        raise BadImageError(what, BadImageCause.UNDECODABLE, f"cannot be decoded: {error}") from error
    return out.getvalue()


def _from_array(image: Any, what: str, channels: ChannelAxis | None) -> Picture:
    if not hasattr(image, "shape"):
        raise UserError(f"{what}: {type(image).__name__}; {TAKEN}")
    pixels = to_pixels(image, what)
    if pixels.ndim not in {2, 3}:
        raise UserError(f"{what}: uint8 {pixels.shape}; an image is (h, w), (h, w, c) or (c, h, w)")
    if pixels.ndim == 3 and find_channel_axis(pixels.shape, channels, what) == "first":
        pixels = pixels.transpose(1, 2, 0)
    return fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels))
