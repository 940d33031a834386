"""The options of a service, and the limits derived from them, so that no inner limit is tighter than an outer one."""

from typing import Annotated

from pydantic import Field

from searchspace.cli.options import Option
from trainables.config import Frozen
from trainables.data.decoding.decode_cost import max_decode_memory
from trainables.data.decoding.decode_limits import MAX_PIXELS

LISTENING, WORKING = "Who is listened to", "How it works"


class ServeOptions(Frozen):
    """The options of `searchspace serve`."""

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


MIN_CALL_BYTES = 16_000_000
"""Bytes of a call to a replica, at least: a smaller largest request does not make smaller batches."""
MESSAGE_OVERHEAD_BYTES = 1_000_000
"""Bytes of a gRPC message beside images and probabilities: names, pickle and protobuf framing."""
DECODING_BYTES = 1_000_000_000
"""Bytes of memory for decoding, of all replicas together; each may always take what the largest image does."""
MIN_HELD_BYTES = 256_000_000
"""Bytes of requests held at a time, at least."""
MAX_NAME_CHARACTERS = 255
"""Characters of an image's name; the rest is cut."""
MAX_NAME_BYTES = 6 * 4 * MAX_NAME_CHARACTERS
"""Bytes of a name in a message at most: 4 in UTF-8, and as many again for the reasons that repeat it, escaped."""
CALLS_PER_REPLICA = 2
"""Calls at a replica at a time: one is decoded while the other is classified."""
MAX_HEALTH_CHECKS = 8
"""Calls that only ask whether a replica is there, at most."""


class ServiceLimits(Frozen):
    """Bytes and counts that a service allows inside."""

    request: int
    """Bytes of a request (`--max-mb`)."""
    call: int
    """Bytes of the images of one call to a replica; one image may always have as many as a request."""
    message: int
    """Bytes of a gRPC message between this process and a replica, in either direction."""
    held: int
    """Bytes of all requests that are held at a time, from their arrival to their answer."""
    held_by_peer: int
    """Bytes of those that one peer address may hold; a request always fits."""
    pixels: int
    """Pixels that are decoded of an image (`--max-megapixels`)."""
    decoding: int
    """Bytes that all decodes of a replica take at a time, by their images' headers."""
    calls: int = Field(ge=1)
    """Calls to replicas at a time, checks included."""


def derive_limits(options: ServeOptions, classes: int) -> ServiceLimits:
    """The limits that follow from the options, for a model of so many classes."""
    call = max(options.most_bytes, MIN_CALL_BYTES)
    answers = options.batch * 4 * classes  # float32
    held = max(MIN_HELD_BYTES, 2 * options.most_bytes)
    return ServiceLimits(
        request=options.most_bytes, call=call,
        message=max(call, answers) + options.batch * MAX_NAME_BYTES + MESSAGE_OVERHEAD_BYTES,
        held=held, held_by_peer=held // 2, pixels=options.most_pixels,
        decoding=max(DECODING_BYTES // options.replicas, max_decode_memory(options.most_pixels)),
        calls=CALLS_PER_REPLICA * options.replicas + MAX_HEALTH_CHECKS,
    )  # fmt: skip
