"""Chooses the image column and the label column of a parquet file, by its metadata, else by type and name."""

import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from trainables.common.errors import UserError, suggest
from trainables.data.data_options import DataOptions
from trainables.data.layouts.detected_layout import list_names
from trainables.data.layouts.split_names import split_words

MASK_WORDS = frozenset({
    "annotation", "annotations", "mask", "masks", "segmentation", "segmentations", "seg", "label", "labels", "depth",
    "normal", "normals", "edge", "edges", "heatmap", "thumbnail", "disparity", "flow", "conditioning", "target",
    "groundtruth", "gt", "trimap",
})  # fmt: skip
"""Words in names of image columns that are not the image to classify."""
LABEL_WORDS = frozenset({
    "label", "labels", "class", "classes", "category", "categories", "target", "targets", "species", "breed", "y",
    "cls", "groundtruth", "gt",
})  # fmt: skip
"""Words in names of label columns."""
COARSE_WORDS = frozenset(
    {"coarse", "super", "superclass", "supercategory", "parent", "meta", "group", "genus", "family"}
)
"""Words in names of labels that group other labels."""
MEASURE_WORDS = frozenset(
    {"num", "n", "count", "weight", "score", "scores", "confidence", "prob", "probability", "logit"}
)
"""Words in names of numbers about a label."""
NUMBER_WORDS = MEASURE_WORDS | {
    "id", "ids", "idx", "index", "uid", "uuid", "key", "hash", "width", "height", "w", "h", "size", "area", "length",
    "channels", "timestamp", "time", "date", "x", "xmin", "xmax", "ymin", "ymax", "row", "col", "page", "frame", "fold",
    "split", "imageid", "imgid", "fileid", "sampleid", "rowid", "objectid", "userid", "patientid",
}  # fmt: skip
"""Words in names of columns with counts, measurements or ids."""
COLUMN_OPTIONS = ("image_column", "label_column", "split_column", "group_column", "weight_column")
"""Options that name columns."""


Features = Mapping[str, Mapping[str, Any]]
"""Hugging Face's features by column."""


def read_features(schema: Any) -> dict[str, dict[str, Any]]:
    """Hugging Face's features by column, from a schema's metadata; empty if there are none."""
    try:
        found = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return {name: feature for name, feature in found.items() if isinstance(feature, dict)}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def choose_image_and_label(where: str, schema: Any, features: Features, options: DataOptions) -> tuple[str, str]:
    """Names of the image and the label column: those of the options, else the only ones that are sure.

    Raises `UserError` that names the candidates, and the options that decide.
    """
    given = {name: getattr(options, name) for name in COLUMN_OPTIONS}
    for name, column in given.items():
        if column:
            check_column(where, schema, f"--{name.replace('_', '-')}", column)
    image = given["image_column"] or _choose_image(where, schema, features)
    if not holds_images(schema.field(image).type):
        raise UserError(
            f"{where}: --image-column {image!r} holds {schema.field(image).type}, not images; they are a struct with "
            f"`bytes`, or binary: {_format_able(schema, holds_images)}"
        )
    others = {image, *(column for name, column in given.items() if name != "label_column")}
    return image, given["label_column"] or _choose_label(where, schema, features, others)


def check_column(where: str, schema: Any, flag: str, column: str) -> None:
    """Raise `UserError` unless there is exactly one column of this name, which the option `flag` says."""
    count = schema.names.count(column)
    if count == 0:
        names = list_names(schema.names)
        raise UserError(f"{where}: {flag} {column!r}: no such column; there are {names}{suggest(column, schema.names)}")
    if count > 1:
        raise UserError(f"{where}: {count} columns are named {column!r}; rename all but one of them")


def has_label_name(name: str) -> bool:
    """Whether a column's name says that it holds labels."""
    words = set(split_words(name))
    return bool(words & LABEL_WORDS) and not words & MEASURE_WORDS


def _choose_image(where: str, schema: Any, features: Features) -> str:
    structs = [field.name for field in schema if _is_struct(field.type)]
    able = structs or [field.name for field in schema if holds_images(field.type)]
    told = [name for name in able if features.get(name, {}).get("_type") == "Image"]
    pictures = [name for name in told or able if not set(split_words(name)) & MASK_WORDS]
    exact = [name for name in pictures if name.lower() in {"image", "img"}]
    if len(pictures) == 1 or len(exact) == 1:
        return str((exact or pictures)[0])
    if not able:
        raise UserError(
            f"{where}: needs an image column, a struct with `bytes`, or binary; has {_format_columns(schema)}"
        )
    if len(able) == 1:
        raise UserError(
            f"{where}: the only image column, {able[0]!r}, is named like masks or other images that describe one; if "
            f"its images are to be classified, give --image-column {shlex.quote(able[0])}"
        )
    raise _ambiguous_error(where, "images", "--image-column", pictures or able)


def _choose_label(where: str, schema: Any, features: Features, others: set[str]) -> str:
    """The only label column, of integers and text, else of any other type that may hold labels."""
    free = [field for field in schema if field.name not in others]
    for holds in (_is_plain_label, _may_hold_labels):
        able = [field.name for field in free if holds(field.type)]
        told = [name for name in able if features.get(name, {}).get("_type") == "ClassLabel"]
        named = [name for name in told or able if has_label_name(name)]
        numbers = [
            field.name
            for field in free
            if holds(field.type) and _is_number(field.type) and not set(split_words(field.name)) & NUMBER_WORDS
        ]
        if found := named or told or numbers:
            return _narrow(where, found)
    raise UserError(
        f"{where}: needs a label column, integers or text, named label or the like; has {_format_columns(schema)}; "
        "give one as --label-column"
    )


def _narrow(where: str, found: list[str]) -> str:
    for narrowed in (
        [name for name in found if name.lower() in {"label", "labels"}],
        [name for name in found if not set(split_words(name)) & COARSE_WORDS],
        found,
    ):
        if len(narrowed) == 1:
            return str(narrowed[0])
    raise _ambiguous_error(where, "labels", "--label-column", found)


def _ambiguous_error(where: str, what: str, flag: str, names: list[str]) -> UserError:
    return UserError(
        f"{where}: which column holds the {what}, {' or '.join(map(repr, names[:5]))}? Give one: "
        f"{flag} {shlex.quote(names[0])}"
    )


def _format_able(schema: Any, holds: Callable[[Any], bool]) -> str:
    return list_names([field.name for field in schema if holds(field.type)]) or "there are none"


def _format_columns(schema: Any) -> str:
    return list_names([f"{field.name} ({field.type})" for field in schema])


def holds_images(kind: Any) -> bool:
    """Whether a column of this type may hold encoded images: a struct with `bytes`, or binary."""
    import pyarrow as pa

    return _is_struct(kind) or bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_struct(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_struct(kind)) and kind.get_field_index("bytes") >= 0


def _is_plain_label(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind)) or is_text_type(kind)


def _may_hold_labels(kind: Any) -> bool:
    """Whether a column of this type may hold labels, in one of the forms that are rarer than numbers and text."""
    import pyarrow as pa

    kind = kind.value_type if pa.types.is_dictionary(kind) or is_list(kind) else kind
    return bool(pa.types.is_boolean(kind) or pa.types.is_floating(kind)) or _is_plain_label(kind)


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def is_list(kind: Any) -> bool:
    """Whether a column of this type holds lists."""
    import pyarrow as pa

    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def is_text_type(kind: Any) -> bool:
    """Whether a column of this type holds text, dictionary-encoded or not."""
    import pyarrow as pa

    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
