"""The record of a store being built: a line of JSON for each finished chunk."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from trainables.data.decoding.bad_images import BadImage


@dataclass(frozen=True)
class FinishedChunk:
    """A chunk that lies in the store."""

    number: int
    """Of the chunk."""
    digest: str
    """Of its pixels, and of which images of it are bad."""
    bad: dict[int, BadImage]
    """Those, by their place in it."""

    @property
    def line(self) -> str:
        """Its line in the record, in ASCII."""
        return json.dumps([self.number, self.digest, {at: asdict(image) for at, image in self.bad.items()}]) + "\n"


def chunk_digest(pixels: bytes, bad: dict[int, BadImage]) -> str:
    """Digest of a chunk, from the digests of its images' pixels."""
    return hashlib.blake2b(pixels + repr(sorted(bad)).encode(), digest_size=12).hexdigest()


def read_finished_chunks(file: Path) -> dict[int, FinishedChunk]:
    """Finished chunks by number; a line that a cut build left torn is none, so its chunk is decoded again."""
    found: dict[int, FinishedChunk] = {}
    for line in file.read_text().splitlines() if file.is_file() else ():
        try:
            number, digest, bad = json.loads(line)
            images = {int(at): BadImage(**image) for at, image in bad.items()}
            found[number] = FinishedChunk(number, digest, images)
        except (ValueError, TypeError, AttributeError):
            continue
    return found
