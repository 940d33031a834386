"""What a service can be told."""

from typing import Annotated

from pydantic import Field

from searchspace.cli.options import Option
from trainables.config import Frozen
from trainables.data.decoding.decode import MAX_PIXELS

LISTENING, WORKING = "Who is listened to", "How it works"


class ServeOptions(Frozen):
    """The options of `python -m searchspace.serve`."""

    host: Annotated[str, Option(LISTENING)] = "127.0.0.1"
    """Address to listen at. At any but this machine's own, callers need the token."""
    port: Annotated[int, Option(LISTENING)] = Field(8000, ge=0, le=65535)
    """Port; 0 takes a free one."""
    max_mb: Annotated[float, Option(LISTENING)] = Field(25.0, gt=0, le=1000, allow_inf_nan=False)
    """Largest request, in MB (10^6 bytes)."""
    max_megapixels: Annotated[float, Option(LISTENING)] = Field(25.0, gt=0, le=MAX_PIXELS / 1e6, allow_inf_nan=False)
    """Most pixels that are decoded of an image, in millions. A JPEG that is not progressive is decoded at a fraction of
    its size and may have up to 250."""
    replicas: Annotated[int, Option(WORKING)] = Field(1, ge=1)
    """Processes that decode and classify; they share the cores."""
    batch: Annotated[int, Option(WORKING)] = Field(32, ge=1)
    """Most images that a replica classifies at a time."""

    @property
    def most_bytes(self) -> int:
        """Largest request, in bytes."""
        return int(1e6 * self.max_mb)

    @property
    def most_pixels(self) -> int:
        """Most pixels that are decoded of an image."""
        return int(1e6 * self.max_megapixels)
