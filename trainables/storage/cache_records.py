"""Small records in the cache, which only save time: what cannot be read counts as not there, and is written anew."""

from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from trainables.common.errors import DamagedError
from trainables.storage.files import read_record, write_file
from trainables.storage.folders import remove_tree

Model = TypeVar("Model", bound=BaseModel)


def read_kept(file: Path, schema: type[Model]) -> Model | None:
    """The record in a file of the cache; None where there is none, or it is damaged."""
    try:
        return read_record(file, schema)
    except (OSError, DamagedError):
        return None


def write_kept(file: Path, record: BaseModel) -> None:
    """Write a record for later, in place of whatever lies there; a cache that cannot be written is gone without."""
    content = record.model_dump_json(indent=1).encode()
    with suppress(OSError, DamagedError):
        try:
            write_file(file, content)
        except (IsADirectoryError, DamagedError):
            remove_tree(file)
            write_file(file, content)
