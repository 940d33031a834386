"""Safetensors files that are equal, byte for byte, whenever their tensors and metadata are.

The library keeps metadata in a hash map whose order differs with every call, and `save_file` leaves files that only
their owner may read.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from trainables.files import write_file

LENGTH = 8
"""Bytes of the header's length, little-endian, at the start of a file; the header is padded to a multiple of it."""


def serialize(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """Content of a safetensors file whose header is sorted by key; `metadata` are texts.

    Raises what `safetensors.torch.save` raises, such as for tensors that share memory.
    """
    found = save({name: tensor.contiguous() for name, tensor in sorted(tensors.items())}, dict(metadata or {}) or None)
    end = LENGTH + int.from_bytes(found[:LENGTH], "little")
    header = json.dumps(json.loads(found[LENGTH:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % LENGTH)
    return b"".join((len(header).to_bytes(LENGTH, "little"), header, memoryview(found)[end:]))


def write_safetensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write such a file, whole or not at all."""
    write_file(path, serialize(tensors, metadata))
