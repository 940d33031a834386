"""Files in an object store at a URL (`s3://bucket/prefix`, `gs://bucket/prefix`), by pyarrow's file systems.

Credentials, region and endpoint come from the environment (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, a role of the
machine …), never from the URL, which is recorded and printed.
"""

import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from trainables.common.errors import UserError
from trainables.storage.files import open_file, replacing

DEFAULT_OPTIONS = {"s3": "allow_delayed_open=true", "gs": "retry_limit_seconds=60"}
"""Options by scheme: one request for a small file; retries for a minute, not a quarter of an hour."""
SCHEMES = tuple(DEFAULT_OPTIONS)
ANONYMOUS = "anonymous@"
"""Prefix of a gs:// bucket that is used without credentials."""
RECORDABLE_OPTIONS = ("region", "project_id", "retry_limit_seconds", "allow_delayed_open", "background_writes")
"""URL options that choose neither the server nor what is sent to it."""
PLAIN_VALUE = re.compile("[A-Za-z0-9_-]*")
MAX_NAME_BYTES = 255
"""Maximum length of a file name, in bytes."""
TRANSFER_BYTES = 1 << 23
"""Bytes that are copied at a time."""
PARTIAL = ".partial"
"""Suffix of files that are being written."""


@dataclass(frozen=True)
class RemoteFile:
    """Size and time of one remote file."""

    size: int
    """Bytes."""
    changed: int
    """Time of its last write, in nanoseconds since 1970 by the store's clock."""


def is_url(place: str) -> bool:
    """Whether `place` is a URL of an object store, rather than a local path."""
    return place.split("://", 1)[0] in SCHEMES and "://" in place


def check_location(place: str) -> str:
    """Normalise a folder or URL: `file:///x%20y` becomes `/x y`, and `~` the home folder.

    Raises ValueError for an empty text, an impossible file name, or an unusable URL.
    """
    scheme, mark, rest = place.partition("://")
    if not place.strip():
        raise ValueError("is empty; give a folder or a URL")
    if any(len(part) > MAX_NAME_BYTES for part in place.encode(errors="replace").split(b"/")):
        raise ValueError(f"has a name of more than {MAX_NAME_BYTES} bytes, which no file system has")
    if not mark:
        return os.path.expanduser(place)
    if scheme == "file" and rest.startswith("/"):
        return unquote(rest)
    if scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in (*SCHEMES, "file"))
        raise ValueError(f"{scheme}:// is not one of {known}; or give a folder")
    parts = urlsplit(place)
    if not parts.netloc:
        raise ValueError(f"names no bucket; expected {scheme}://BUCKET/PREFIX")
    if "@" in parts.netloc.removeprefix(ANONYMOUS):
        raise ValueError("holds credentials, which would be recorded; leave them to the environment")
    base, mark, query = place.partition("?")
    base = base.rstrip("/")
    for part in base.partition("://")[2].split("/"):
        if not is_file_name(unquote(part)):
            raise ValueError(f"has the part {part!r}, which is no name; leave out empty parts, '.' and '..'")
    return base + mark + query.rstrip("/")


def is_file_name(part: str) -> bool:
    """Whether a part of a path names a file or folder within its parent."""
    return part not in {"", ".", ".."} and not {"/", "\0"} & set(part)


def check_recorded_location(place: str) -> str:
    """Check a folder or URL from a record, which may have been written by another user.

    Raises ValueError for a URL whose query chooses a host, a proxy or credentials: these come from the environment or
    the command line only.
    """
    query = place.partition("?")[2] if is_url(place) else ""
    for option in filter(None, query.split("&")):
        name, _, value = option.partition("=")
        if name not in RECORDABLE_OPTIONS or not PLAIN_VALUE.fullmatch(value):
            raise ValueError(
                f"says {option!r}, which no record may choose; give the URL on the command line, or set "
                "AWS_ENDPOINT_URL and its like"
            )
    return place


def join_url(place: str, *names: str) -> str:
    """URL of a path below another URL; the query, such as `?endpoint_override=`, stays at the end."""
    base, mark, query = place.partition("?")
    return "/".join([base.rstrip("/"), *filter(None, names)]) + mark + query


@dataclass(frozen=True)
class Remote:
    """The files below one URL, by their names relative to it; all methods raise OSError if the store fails."""

    url: str
    """URL of the folder."""
    system: Any
    """The pyarrow file system."""
    root: str
    """Bucket and prefix, as the file system expects them."""

    @classmethod
    def open(cls, url: str) -> "Remote":
        """Create the file system of `url` without connecting; raises OSError for a URL that pyarrow refuses."""
        base, _, query = url.partition("?")
        host, _, prefix = base.partition("://")[2].partition("/")
        system = _system(url.partition("://")[0], host, query)
        return cls(url, system, f"{host.removeprefix(ANONYMOUS)}/{prefix}".rstrip("/"))

    def list(self) -> dict[str, RemoteFile]:
        """Every file by name, except names that would lead out of a local folder."""
        from pyarrow import fs

        found = self.system.get_file_info(fs.FileSelector(self.root, recursive=True, allow_not_found=True))
        files = {info.path[len(self.root) + 1 :]: info for info in found if info.type == fs.FileType.File}
        return {name: RemoteFile(info.size, info.mtime_ns) for name, info in files.items() if _is_below(name)}

    def read(self, name: str) -> bytes | None:
        """Read a small file; None if it does not exist."""
        try:
            with self.system.open_input_stream(self._path(name)) as stream:
                content: bytes = stream.read()
        except FileNotFoundError:
            return None
        return content

    def write(self, name: str, content: bytes) -> None:
        """Write a small file atomically."""
        with self.system.open_output_stream(self._path(name)) as stream:
            stream.write(content)

    def fetch(self, name: str, file: Path, changed: int | None = None) -> None:
        """Download a file atomically to `file`, with the time `changed` in nanoseconds since 1970."""
        with self.system.open_input_stream(self._path(name)) as source, replacing(file) as target:
            while piece := source.read(TRANSFER_BYTES):
                target.write(piece)
            if changed is not None:
                target.flush()
                os.utime(target.fileno(), ns=(changed, changed))

    def send(self, file: Path, name: str, size: int) -> None:
        """Upload the first `size` bytes of `file` atomically."""
        with open_file(file) as source, self.system.open_output_stream(self._path(name)) as target:
            while size > 0 and (piece := source.read(min(size, TRANSFER_BYTES))):
                target.write(piece)
                size -= len(piece)

    def move(self, name: str, new: str) -> None:
        """Rename a file, replacing one at `new`."""
        self.system.move(self._path(name), self._path(new))

    def changed(self, name: str) -> int | None:
        """Time of a file's last write, in nanoseconds since 1970 by the store's clock; None if it does not exist."""
        from pyarrow import fs

        (info,) = self.system.get_file_info([self._path(name)])
        return int(info.mtime_ns) if info.type == fs.FileType.File else None

    def delete(self, name: str) -> None:
        """Delete a file; it may be missing."""
        try:
            self.system.delete_file(self._path(name))
        except FileNotFoundError:
            return

    def check(self) -> None:
        """Raise OSError if the bucket does not exist or cannot be listed."""
        from pyarrow import fs

        bucket = self.root.split("/", 1)[0]
        if self.system.get_file_info([bucket])[0].type == fs.FileType.NotFound:
            raise FileNotFoundError(f"there is no bucket {bucket!r}")
        self.system.get_file_info(fs.FileSelector(self.root, allow_not_found=True))

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}" if name else self.root


@cache
def _system(scheme: str, host: str, query: str) -> Any:
    """One client for each bucket, which keeps its connections."""
    import pyarrow as pa
    from pyarrow import fs

    query = "&".join(filter(None, (DEFAULT_OPTIONS[scheme], query)))
    try:
        return fs.FileSystem.from_uri(f"{scheme}://{host}?{query}")[0]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise OSError(str(error)) from error


def open_remote(option: str, url: str) -> Remote:
    """Open the URL of an option; raises `UserError` if it cannot be reached."""
    try:
        remote = Remote.open(url)
        remote.check()
    except OSError as error:
        raise UserError(f"{option} {url!r}: {format_storage_error(error)}") from error
    return remote


def format_storage_error(error: OSError) -> str:
    """The error of a store on one line."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return line.partition("; Details")[0].partition(" (Request ID")[0][:200]


def _is_below(name: str) -> bool:
    return all(map(is_file_name, name.split("/")))
