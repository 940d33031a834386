"""Chooses the image column and the label column of a parquet file, by its metadata, else by type and name."""

import json
from typing import Any

from trainables.common.errors import UserError
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


def read_features(schema: Any) -> dict[str, dict[str, Any]]:
    """Hugging Face's features by column, from a schema's metadata; empty if there are none."""
    try:
        found = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return {name: feature for name, feature in found.items() if isinstance(feature, dict)}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def choose_image_and_label(where: str, schema: Any) -> tuple[str, str]:
    """Names of the image and the label column; raises `UserError` if one is ambiguous, naming the candidates."""
    return _choose_image(where, schema), _choose_label(where, schema)


def has_label_name(name: str) -> bool:
    """Whether a column's name says that it holds labels."""
    words = set(split_words(name))
    return bool(words & LABEL_WORDS) and not words & MEASURE_WORDS


def _choose_image(where: str, schema: Any) -> str:
    features = read_features(schema)
    able = [field.name for field in schema if _holds_bytes(field.type)]
    told = [name for name in able if features.get(name, {}).get("_type") == "Image"]
    pictures = [name for name in told or able if not set(split_words(name)) & MASK_WORDS]
    exact = [name for name in pictures if name.lower() in {"image", "img"}]
    if len(pictures) == 1 or len(exact) == 1:
        return str((exact or pictures)[0])
    if not pictures:
        raise UserError(f"{where}: needs an image column, a struct with `bytes`; has {_format_columns(schema)}")
    raise _ambiguous_error(where, "images", pictures)


def _choose_label(where: str, schema: Any) -> str:
    features = read_features(schema)
    able = [field.name for field in schema if _holds_labels(field.type)]
    told = [name for name in able if features.get(name, {}).get("_type") == "ClassLabel"]
    named = [name for name in told or able if has_label_name(name)]
    numbers = [
        field.name for field in schema if _is_whole(field.type) and not set(split_words(field.name)) & NUMBER_WORDS
    ]
    found = named or told or numbers
    for narrowed in (
        [name for name in found if name.lower() in {"label", "labels"}],
        [name for name in found if not set(split_words(name)) & COARSE_WORDS],
        found,
    ):
        if len(narrowed) == 1:
            return str(narrowed[0])
    if not found:
        raise UserError(
            f"{where}: needs a label column, integers or text, named label or the like; has {_format_columns(schema)}"
        )
    raise _ambiguous_error(where, "labels", found)


def _ambiguous_error(where: str, what: str, names: list[str]) -> UserError:
    return UserError(
        f"{where}: which column holds the {what}, {' or '.join(map(repr, names[:5]))}? Write the files with one of "
        "them: t = pyarrow.parquet.read_table(FILE); pyarrow.parquet.write_table(t.drop_columns(OTHERS), FILE)"
    )


def _format_columns(schema: Any) -> str:
    return list_names([f"{field.name} ({field.type})" for field in schema])


def _holds_bytes(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_struct(kind)) and kind.get_field_index("bytes") >= 0


def _holds_labels(kind: Any) -> bool:
    return _is_whole(kind) or is_text_type(kind)


def _is_whole(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind))


def is_text_type(kind: Any) -> bool:
    """Whether a column of this type holds text, dictionary-encoded or not."""
    import pyarrow as pa

    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
