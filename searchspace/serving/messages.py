"""What a replica is asked, and what it answers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Upload:
    """An image as it was sent."""

    name: str
    """What to call it in answers."""
    content: bytes
    """Encoded, in whatever format its content says."""


@dataclass(frozen=True)
class Answer:
    """What the model says of an image."""

    probabilities: NDArray[np.float32]
    """Of each class (classes,)."""
    batch: int
    """Images that were classified at a time, this one included."""


@dataclass(frozen=True)
class Unreadable:
    """An image that cannot be decoded."""

    reason: str
    """Which, and why, in one line."""
