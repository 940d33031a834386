"""The validation images that the finals of a search are scored on; a resumed search keeps those it began with."""

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from searchspace.finals.finalist import FINALISTS
from searchspace.spec import load_facts
from searchspace.storage.search_folder import SEARCH_RECORD
from searchspace.study.study import StudyReader, parse_study_attribute, read_study_attribute
from trainables.common.errors import DamagedError
from trainables.data.finals_validation import FinalsValidation
from trainables.data.store.data_summary import DataSummary
from trainables.storage.files import format_validation_error, is_file

FINALS_VALIDATION = "finals validation"
"""Attribute of the study: the validation images of its finals."""


def with_recorded_validation(data: DataSummary, folder: Path) -> DataSummary:
    """`data` with the finals' validation of the search in `folder`, if one was begun there.

    A search of a version whose finals had no images of their own is resumed without them.
    """
    if not is_file(folder / SEARCH_RECORD):
        return data
    return data.model_copy(update={"finals": recorded_validation(folder)})


def recorded_validation(folder: Path) -> FinalsValidation:
    """The finals' validation images, from `search.json` in `folder`."""
    data = load_facts(folder).get("data", {})
    count = data.get("val", 0)
    try:
        return FinalsValidation.model_validate(
            data.get("finals") or {"source": "reused", "images": count, "search_images": count}
        )
    except ValidationError as error:
        raise DamagedError(folder / SEARCH_RECORD, f"data.finals: {format_validation_error(error)}") from error


def read_validation(study: StudyReader) -> FinalsValidation | None:
    """The validation images of a study's finals; None before the finals. Older versions reused the search's."""
    if found := parse_study_attribute(study, FINALS_VALIDATION, TypeAdapter(FinalsValidation)):
        return found
    return FinalsValidation() if read_study_attribute(study, FINALISTS) else None


def format_validation(found: FinalsValidation) -> str:
    """`finals validation: 270 images drawn anew from the search's training images`."""
    if found.source == "folds":
        return (
            f"finals validation: {found.folds}-fold cross-validation over the {found.images:,} training images of the "
            f"search; the {found.search_images:,} that chose the finalists train in every fold, and are scored in none"
        )
    count = f"{found.images:,} images " if found.images else "images "
    which = {
        "drawn": "drawn anew from the search's training images",
        "held back": "of the given validation split, kept out of the search",
        "reused": "that chose the finalists, so re-scores may still flatter",
    }[found.source]
    return f"finals validation: {count}{which}"
