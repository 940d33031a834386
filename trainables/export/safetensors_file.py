"""Safetensors files that are equal, byte for byte, whenever their tensors and metadata are.

The library keeps metadata in a hash map whose order differs with every call, and `save_file` leaves files that only
their owner may read.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from trainables.common.errors import DamagedError
from trainables.storage.files import open_file, write_file

LENGTH = 8
"""Bytes of the header's length, little-endian, at the start of a file; the header is padded to a multiple of it."""

MAX_HEADER_BYTES = 100_000_000
"""Bytes of the longest header that the library reads."""


def serialize(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """Content of a safetensors file whose header is sorted by key; `metadata` are texts.

    Tensors that share memory, as tied weights do, are each written whole. Raises what `safetensors.torch.save` raises.
    """
    found = save(_apart(tensors), dict(metadata or {}) or None)
    end = LENGTH + int.from_bytes(found[:LENGTH], "little")
    header = json.dumps(json.loads(found[LENGTH:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % LENGTH)
    return b"".join((len(header).to_bytes(LENGTH, "little"), header, memoryview(found)[end:]))


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by name, sorted, of which no two share memory."""
    found: dict[str, Tensor] = {}
    known: set[int] = set()
    for name, tensor in sorted(tensors.items()):
        memory = tensor.untyped_storage().data_ptr()
        found[name] = tensor.clone() if memory in known else tensor.contiguous()
        known.add(memory)
    return found


def write_safetensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file atomically."""
    write_file(path, serialize(tensors, metadata))


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shape of each tensor of such a file, from its header alone.

    Raises `DamagedError` where it is no such file, FileNotFoundError where it is missing.
    """
    with open_file(path) as file:
        try:
            with safe_open(f"/dev/fd/{file.fileno()}", framework="pt") as found:
                return {name: tuple(found.get_slice(name).get_shape()) for name in found.keys()}  # noqa: SIM118  # no mapping
        except (SafetensorError, OSError, ValueError) as error:
            raise DamagedError(path, f"is no safetensors file ({error})") from error


def read_safetensors(path: Path, size: int) -> dict[str, Tensor]:
    """Tensors of a safetensors file, of `size` bytes in all; raises `DamagedError` for another or a larger file.

    The file is mapped, not copied.
    """
    with open_file(path, size + MAX_HEADER_BYTES) as file:
        try:
            return load_file(f"/dev/fd/{file.fileno()}")
        except (SafetensorError, OSError, ValueError) as error:
            raise DamagedError(path, f"is no safetensors file ({error})") from error
