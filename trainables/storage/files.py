"""Reads and writes of files below a results folder; no other module does this.

The files may have been written by another user. Only regular files are opened, no component of a path may be a link
(see `folders`), opening never blocks, and reads have a size limit. Writes are atomic, also on a loss of power, and use
a random temporary name, so that no link can be prepared there.
"""

import io
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO, TypeVar, overload

from trainables.common.errors import DamagedError, UserError
from trainables.storage.folders import describe_os_error, format_wrong_kind, open_directory, stat_path, sync_directory

if TYPE_CHECKING:
    from pydantic import BaseModel, TypeAdapter, ValidationError  # `predict` does without

MB = 1_000_000
RECORD_LIMIT = 64 * MB
"""Maximum size of a JSON record, in bytes; the largest known, metrics of 1,000 classes, has some 20 MB."""
SHOWN_CHARACTERS = 60
"""Maximum length of a wrong value in an error message, in characters."""
PARTIAL = ".partial"
"""Suffix of files that are being written; copies of a folder leave them out."""
FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
T = TypeVar("T")
Model = TypeVar("Model", bound="BaseModel")


def open_file(path: Path, limit: int | None = None) -> BinaryIO:
    """Open a regular file for reading, without blocking.

    Raises `DamagedError` for other kinds of files, a link in the path, or more than `limit` bytes; FileNotFoundError if
    it is missing; `UserError` if it may not be read.
    """
    try:
        file = os.fdopen(_open(path, os.O_RDONLY), "rb")
    except PermissionError as error:
        raise UserError(f"{str(path)!r}: you may not read it ({error.strerror})") from error
    size = os.fstat(file.fileno()).st_size
    if limit is not None and size > limit:
        file.close()
        raise DamagedError(path, _too_large(size, limit))
    return file


def open_append(path: Path) -> BinaryIO:
    """Open a regular file for reading and appending, creating it if it is missing; raises as `open_file` does."""
    return os.fdopen(_open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, make=True), "a+b")


def create_file(path: Path, content: bytes) -> None:
    """Write a new file; raises FileExistsError if a file or link exists at `path`."""
    with open_directory(path.parent, make=True) as here:
        try:
            created = os.open(path.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | FLAGS, 0o666, dir_fd=here)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error
        with os.fdopen(created, "wb") as file:
            file.write(content)
            _flush(file)
        sync_directory(here)


def read_file(path: Path, limit: int = RECORD_LIMIT) -> bytes:
    """Read a regular file of at most `limit` bytes; raises as `open_file` does."""
    with open_file(path, limit) as file:
        content = file.read(os.fstat(file.fileno()).st_size + 1)  # allocates the buffer in one piece
        while len(content) <= limit and (more := file.read(MB)):  # the file grows meanwhile
            content += more
    if len(content) > limit:
        raise DamagedError(path, _too_large(len(content), limit))
    return content


def read_text(path: Path, limit: int = RECORD_LIMIT) -> str:
    """Read a regular file as text; raises as `open_file` does, and `DamagedError` if it is not UTF-8."""
    try:
        return read_file(path, limit).decode()
    except UnicodeDecodeError as error:
        raise DamagedError(path, f"is no UTF-8 text at byte {error.start:,}") from error


@overload
def read_record(path: Path, schema: type[Model], limit: int = ...) -> Model: ...
@overload
def read_record(path: Path, schema: "TypeAdapter[T]", limit: int = ...) -> T: ...
def read_record(path: Path, schema: Any, limit: int = RECORD_LIMIT) -> Any:
    """Read a JSON file as `schema`, a model or a `TypeAdapter`; raises as `read_file` and `parse_json` do."""
    return parse_json(path, read_file(path, limit), schema)


@overload
def parse_json(path: Path, content: bytes | str, schema: type[Model]) -> Model: ...
@overload
def parse_json(path: Path, content: bytes | str, schema: "TypeAdapter[T]") -> T: ...
def parse_json(path: Path, content: bytes | str, schema: Any) -> Any:
    """Parse the JSON of the file `path` as `schema`; raises `DamagedError` that names the first wrong field."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return schema.validate_json(content) if isinstance(schema, TypeAdapter) else schema.model_validate_json(content)
    except ValidationError as error:
        raise DamagedError(path, format_validation_error(error)) from error


def format_validation_error(error: "ValidationError") -> str:
    """The first error of a validation, with the field's name and value, as a short text."""
    first = error.errors(include_url=False, include_context=False)[0]
    said = first["msg"].partition("\n")[0]
    if first["type"] == "json_invalid":
        return said[:1].lower() + said[1:]
    field, value = ".".join(str(part) for part in first["loc"]), repr(first["input"])
    shown = value if len(value) <= SHOWN_CHARACTERS else value[:SHOWN_CHARACTERS] + "…"
    return f"{field[:SHOWN_CHARACTERS]}: {said} (found {shown})" if field else f"{said} (found {shown})"


def is_file(path: Path) -> bool:
    """Whether a regular file exists; raises `DamagedError` for other kinds of files, or a link in the path."""
    found = stat_path(path)
    if found is not None and not stat.S_ISREG(found.st_mode):
        raise DamagedError(path, format_wrong_kind(found.st_mode, "a file"))
    return found is not None


def write_file(path: Path, content: bytes) -> None:
    """Write a file atomically, with the permissions of the umask. Raises as `replacing` does."""
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file that replaces `path` if the block succeeds, and is removed if it raises.

    Missing folders are created. The file is flushed to disk before it is renamed, then its folder is. If `path` is a
    link, the link is replaced, not its target.

    Raises `DamagedError` if a component is a link or `path` is a folder, or OSError.
    """
    with open_directory(path.parent, make=True) as here:
        beside = f".{secrets.token_hex(8)}{PARTIAL}"
        try:
            created = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | FLAGS, 0o666, dir_fd=here)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error
        try:
            with os.fdopen(created, "w+b") as file:
                yield file
                _flush(file)
            os.rename(beside, path.name, src_dir_fd=here, dst_dir_fd=here)
        except BaseException as error:
            with suppress(OSError):
                os.unlink(beside, dir_fd=here)
            if isinstance(error, OSError) and error.filename == beside:
                raise describe_os_error(error, here, path, "a file") from error
            raise
        sync_directory(here)


@contextmanager
def replacing_text(path: Path, newline: str | None = None, errors: str = "strict") -> Iterator[TextIO]:
    """As `replacing`, for text in UTF-8; `newline` is "" for CSV."""
    with replacing(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline=newline, errors=errors)
        yield text
        text.flush()
        text.detach()


def copy_file(source: Path, target: Path, limit: int | None = None) -> None:
    """Copy a regular file, replacing `target`; raises as `open_file` and `replacing` do."""
    with open_file(source, limit) as content, replacing(target) as file:
        while piece := content.read(MB):
            file.write(piece)


def _open(path: Path, flags: int, make: bool = False) -> int:
    with open_directory(path.parent, make) as here:
        try:
            found = os.open(path.name or ".", flags | FLAGS, 0o666, dir_fd=here)
        except (OSError, ValueError) as error:
            raise describe_os_error(error, here, path, "a file") from error
    mode = os.fstat(found).st_mode
    if not stat.S_ISREG(mode):
        os.close(found)
        raise DamagedError(path, format_wrong_kind(mode, "a file"))
    return found


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _too_large(size: int, limit: int) -> str:
    return f"has {size:,} bytes; at most {limit:,} are read"
