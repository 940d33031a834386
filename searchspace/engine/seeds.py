"""Seeds derived from the search's one seed."""

import hashlib


def derive_seed(seed: int, *purpose: str | int) -> int:
    """A seed of its own for each purpose, 31 bits, the same on every machine."""
    text = repr((seed, *purpose)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest()) >> 1
