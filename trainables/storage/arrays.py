"""`.npz` files of arrays, written whole, and read within a size limit and without pickles."""

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from trainables.common.errors import DamagedError
from trainables.storage.files import open_file, replacing

LIMIT = 1 << 33
"""Bytes of the largest file of arrays, unpacked: those of 1,000 classes and 2,000,000 images."""
SUFFIX = ".npy"
"""Ends the name of each array's member in the zip archive."""


@dataclass(frozen=True)
class ArrayHeader:
    """Type and shape of a stored array, known before it is unpacked."""

    dtype: np.dtype[Any]
    """Type of its elements; of kind `O` where they are pickled Python objects, which are never read."""
    shape: tuple[int, ...]
    """Its dimensions."""


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays, compressed, whole or not at all."""
    with replacing(path) as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # its stub takes the first for an option


def read_arrays(path: Path, limit: int = LIMIT) -> dict[str, NDArray[Any]]:
    """All arrays of a file, by name.

    Raises `DamagedError` where it holds anything else, or more than `limit` bytes unpacked; FileNotFoundError where
    it is missing.
    """
    with _opened(path, limit) as (file, _packed):
        file.seek(0)
        with np.load(file, allow_pickle=False) as found:
            return {name: _checked(found[name]) for name in found.files}


def read_array(path: Path, name: str, limit: int = LIMIT) -> NDArray[Any]:
    """One array of a file; raises as `read_arrays` does, and `DamagedError` where the file has no such array."""
    with _opened(path, limit) as (file, _packed):
        file.seek(0)
        with np.load(file, allow_pickle=False) as found:
            return _checked(found[name])


def read_headers(path: Path, limit: int = LIMIT) -> dict[str, ArrayHeader]:
    """Types and shapes of the arrays of a file, by name; unpacks none of them. Raises as `read_arrays` does."""
    with _opened(path, limit) as (_file, packed):
        members = [name for name in packed.namelist() if name.endswith(SUFFIX)]
        return {name.removesuffix(SUFFIX): _read_header(packed, name) for name in members}


def _read_header(packed: zipfile.ZipFile, member: str) -> ArrayHeader:
    with packed.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
        return ArrayHeader(dtype, shape)


@contextmanager
def _opened(path: Path, limit: int) -> Iterator[tuple[BinaryIO, zipfile.ZipFile]]:
    """The file and its archive; what goes wrong with the content inside the block is raised as `DamagedError`."""
    with open_file(path, limit) as file:
        try:
            with zipfile.ZipFile(file) as packed:  # no member is unpacked beyond the size that is said here
                size = sum(member.file_size for member in packed.infolist())
                if size > limit:
                    raise DamagedError(path, f"unpacks to {size:,} bytes; at most {limit:,} are read")
                yield file, packed
        except DamagedError:
            raise
        except Exception as error:  # numpy, zipfile and zlib raise most kinds
            said = (str(error) or type(error).__name__).splitlines()[0]
            raise DamagedError(path, f"holds no arrays ({said[:100]})") from error


def _checked(found: Any) -> NDArray[Any]:
    if not isinstance(found, np.ndarray):
        raise TypeError("a member is no array")
    return found
