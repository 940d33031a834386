"""The record of a store's build: a line of JSON for each finished chunk."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainables.data.decoding.bad_images import BadImage

MAX_LENGTH = 1 << 20
"""Pixels of a side, of which no stored image has as many."""


@dataclass(frozen=True)
class FinishedChunk:
    """A chunk that was decoded into the store."""

    number: int
    """Number of the chunk."""
    digest: str
    """Digest of its pixels, and of which images are bad."""
    bad: dict[int, BadImage]
    """Bad images, by position in the chunk."""
    sizes: tuple[tuple[int, int], ...] = ()
    """Stored height and width of each image in pixels, where images are stored whole."""

    @property
    def line(self) -> str:
        """Its line in the record, in ASCII."""
        bad = {at: {"name": image.name, "reason": image.reason} for at, image in self.bad.items()}
        return json.dumps([self.number, self.digest, bad, *([self.sizes] if self.sizes else [])]) + "\n"


def chunk_digest(pixels: bytes, bad: dict[int, BadImage]) -> str:
    """Digest of a chunk, from the digests of its images' pixels."""
    return hashlib.blake2b(pixels + repr(sorted(bad)).encode(), digest_size=12).hexdigest()


def _read_sizes(sizes: Sequence[Sequence[int]] = ()) -> tuple[tuple[int, int], ...]:
    found = tuple((int(height), int(width)) for height, width in sizes)
    if any(not 0 <= length <= MAX_LENGTH for size in found for length in size):
        raise ValueError(f"sizes {found}")
    return found


def read_finished_chunks(file: Path) -> dict[int, FinishedChunk]:
    """Read the finished chunks by number; incomplete lines are ignored, so that their chunks are decoded again."""
    found: dict[int, FinishedChunk] = {}
    for line in file.read_text().splitlines() if file.is_file() else ():
        try:
            number, digest, bad, *sizes = json.loads(line)
            images = {int(at): BadImage(**image) for at, image in bad.items()}
            found[number] = FinishedChunk(number, digest, images, _read_sizes(*sizes))
        except (ValueError, TypeError, AttributeError):
            continue
    return found
