"""How a search's images are stored: as it was begun, or as the models that were asked for need."""

from pydantic import ValidationError

from searchspace.spec import SearchSpec, load_facts
from searchspace.storage.search_folder import SEARCH_RECORD
from trainables.common.errors import DamagedError
from trainables.data.data_options import DataOptions
from trainables.data.decoding.stored_size import STORED_SIDE
from trainables.storage.files import format_validation_error, is_file

LARGEST_AUTOMATIC_SIDE = 1024
"""Shorter stored side that is chosen at most where `--store-side` is not given, in pixels."""


def resolve_options(spec: SearchSpec, resumed: bool) -> DataOptions:
    """The options of reading the data of a search; other nodes get them with its summary.

    A search that is `resumed` stores images as it was begun, for only these have its fingerprint. Raises
    `DamagedError` for a record that cannot be read.
    """
    options = spec.data_options
    if resumed and is_file(spec.folder / SEARCH_RECORD):
        recorded = _recorded_options(spec)
        return options.model_copy(
            update={
                "store_side": recorded.store_side, "keep_aspect": recorded.keep_aspect,
                "keep_copies": _kept_copies(spec),
            }
        )  # fmt: skip
    if options.store_side:
        return options
    return options.model_copy(update={"store_side": choose_side(spec)})


def _recorded_options(spec: SearchSpec) -> DataOptions:
    """The options in the search's record; those of versions that knew only squares where it has none."""
    try:
        return DataOptions.model_validate(load_facts(spec.folder).get("data", {}).get("options", {}))
    except ValidationError as error:
        raise DamagedError(spec.folder / SEARCH_RECORD, f"data.options.{format_validation_error(error)}") from error


def _kept_copies(spec: SearchSpec) -> bool:
    """Whether the search was begun with copies of held-out images, as those of versions that knew none were."""
    copies = load_facts(spec.folder).get("data", {}).get("copies")
    return copies is None or copies.get("kept") == "asked"


def choose_side(spec: SearchSpec) -> int:
    """Shorter stored side that the models asked for need, in pixels; 0 where `STORED_SIDE` is enough.

    Nothing is downloaded.
    """
    from trainables.models.model_registry import wanted_side

    asked = (str(spec.pins["model"]),) if "model" in spec.pins else spec.models
    pinned = int(spec.pins.get("input_size", 0))
    side = min(LARGEST_AUTOMATIC_SIDE, max((wanted_side(name, pinned) for name in asked), default=pinned))
    return side if side > STORED_SIDE else 0
