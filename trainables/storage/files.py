"""The one module that reads and writes files below a results folder.

What is read may have been made by somebody else: only regular files are opened, no component of a path is a link (see
`folders`), opening never blocks, and no more is read than a limit. What is written is whole or not there, also after a
loss of power, and goes through a fresh random name, so that nobody can prepare a link there.
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
"""Bytes of the largest record (JSON); the largest known, metrics of 1,000 classes, have some 20 MB."""
SHOWN_CHARACTERS = 60
"""Characters of a wrong value that an error shows."""
PARTIAL = ".partial"
"""End of the names of files that are being written; whoever copies folders leaves them out."""
FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
T = TypeVar("T")
Model = TypeVar("Model", bound="BaseModel")


def open_file(path: Path, limit: int | None = None) -> BinaryIO:
    """Open a regular file for reading; it never blocks.

    Raises `DamagedError` for anything else, a link in its path, or more than `limit` bytes; FileNotFoundError where it
    is missing, `UserError` where it may not be read.
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
    """Open a regular file for reading and appending, and make it if it is missing; raises as `open_file` does."""
    return os.fdopen(_open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, make=True), "a+b")


def create_file(path: Path, content: bytes) -> None:
    """Write a file that must not be there yet; raises FileExistsError where it, or a link, is."""
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
    """Content of a regular file of at most `limit` bytes; raises as `open_file` does."""
    with open_file(path, limit) as file:
        content = file.read(os.fstat(file.fileno()).st_size + 1)  # memory for so much is taken at once
        while len(content) <= limit and (more := file.read(MB)):  # it grows
            content += more
    if len(content) > limit:
        raise DamagedError(path, _too_large(len(content), limit))
    return content


def read_text(path: Path, limit: int = RECORD_LIMIT) -> str:
    """Content of a regular file as text; raises as `open_file` does, and `DamagedError` where it is no UTF-8."""
    try:
        return read_file(path, limit).decode()
    except UnicodeDecodeError as error:
        raise DamagedError(path, f"is no UTF-8 text at byte {error.start:,}") from error


@overload
def read_record(path: Path, schema: type[Model], limit: int = ...) -> Model: ...
@overload
def read_record(path: Path, schema: "TypeAdapter[T]", limit: int = ...) -> T: ...
def read_record(path: Path, schema: Any, limit: int = RECORD_LIMIT) -> Any:
    """The JSON in a file as `schema`, a model or a `TypeAdapter`; raises as `read_file` and `parse_json` do."""
    return parse_json(path, read_file(path, limit), schema)


@overload
def parse_json(path: Path, content: bytes | str, schema: type[Model]) -> Model: ...
@overload
def parse_json(path: Path, content: bytes | str, schema: "TypeAdapter[T]") -> T: ...
def parse_json(path: Path, content: bytes | str, schema: Any) -> Any:
    """JSON that was found in the file `path`, as `schema` has it; raises `DamagedError` with the first wrong field."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return schema.validate_json(content) if isinstance(schema, TypeAdapter) else schema.model_validate_json(content)
    except ValidationError as error:
        raise DamagedError(path, format_validation_error(error)) from error


def format_validation_error(error: "ValidationError") -> str:
    """The first thing that is wrong with a record, with the field's name and value; a short text."""
    first = error.errors(include_url=False, include_context=False)[0]
    said = first["msg"].partition("\n")[0]
    if first["type"] == "json_invalid":
        return said[:1].lower() + said[1:]
    field, value = ".".join(str(part) for part in first["loc"]), repr(first["input"])
    shown = value if len(value) <= SHOWN_CHARACTERS else value[:SHOWN_CHARACTERS] + "…"
    return f"{field[:SHOWN_CHARACTERS]}: {said} (found {shown})" if field else f"{said} (found {shown})"


def is_file(path: Path) -> bool:
    """Whether a regular file is there; raises `DamagedError` where something else is, or a component is a link."""
    found = stat_path(path)
    if found is not None and not stat.S_ISREG(found.st_mode):
        raise DamagedError(path, format_wrong_kind(found.st_mode, "a file"))
    return found is not None


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole, or leave what is there; the umask decides who may read it. Raises as `replacing` does."""
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file that takes the place of `path` when the block ends well, and is removed when it does not.

    Folders are made where they are missing. Flushed to disk before it gets its name; then the folder is, too. A link at
    `path` is replaced, and what it leads to stays as it is.

    Raises `DamagedError` where a component is a link or `path` is a folder, or OSError.
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
    """As `replacing`, for text in UTF-8; for CSV, `newline` is ""."""
    with replacing(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline=newline, errors=errors)
        yield text
        text.flush()
        text.detach()


def copy_file(source: Path, target: Path, limit: int | None = None) -> None:
    """Copy a regular file in place of another; raises as `open_file` and `replacing` do."""
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
