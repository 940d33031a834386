"""Arrays in a results folder: `.npz` files, read within bounds and without pickles."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.common.errors import DamagedError
from trainables.storage.files import open_file, replacing

LIMIT = 1 << 33
"""Bytes of the largest file of arrays, unpacked: those of 1,000 classes and 2,000,000 images."""


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays, compressed, whole or not at all."""
    with replacing(path) as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # its stub takes the first for an option


def read_arrays(path: Path, limit: int = LIMIT) -> dict[str, NDArray[Any]]:
    """All arrays of a file, by name.

    Raises `DamagedError` where it holds anything else, or more than `limit` bytes unpacked; FileNotFoundError where
    it is missing.
    """
    with open_file(path, limit) as file:
        try:
            with zipfile.ZipFile(file) as packed:  # no member is unpacked beyond the size that is said here
                size = sum(member.file_size for member in packed.infolist())
            if size > limit:
                raise DamagedError(path, f"unpacks to {size:,} bytes; at most {limit:,} are read")
            file.seek(0)
            with np.load(file, allow_pickle=False) as found:
                return {name: _checked(found[name]) for name in found.files}
        except DamagedError:
            raise
        except Exception as error:  # numpy, zipfile and zlib raise most kinds
            said = (str(error) or type(error).__name__).splitlines()[0]
            raise DamagedError(path, f"holds no arrays ({said[:100]})") from error


def _checked(found: Any) -> NDArray[Any]:
    if not isinstance(found, np.ndarray):
        raise TypeError("a member is no array")
    return found
