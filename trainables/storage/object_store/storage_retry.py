"""Trying again what shared storage refused for now: it is overloaded, or broke off; more than pyarrow does by itself.

Measured with pyarrow 25 and an S3 server that fails at random: its client tries 500, 503 and broken connections ten
times, and 429 never.
"""

import random
import re
import time
from collections.abc import Callable
from typing import TypeVar

RETRY_ATTEMPTS = 6
"""Of one operation; with the pauses, some 15 s beside pyarrow's own."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 8.0
"""Seconds of the first pause and the longest; they double, and are spread at random, as many workers are refused."""
TRANSIENT_ERRORS = re.compile(
    r"HTTP status (429|5\d\d)|SLOW_?DOWN|TooManyRequests|THROTTL|SERVICE_UNAVAILABLE|INTERNAL_FAILURE"
    r"|NETWORK_CONNECTION|REQUEST_TIMEOUT|curlCode",
    re.IGNORECASE,
)
"""What pyarrow's errors, which have no number, say of what may be over soon."""
T = TypeVar("T")


def is_transient(error: OSError) -> bool:
    """Whether an error of shared storage may be over soon; one that names a file or a right is not."""
    return error.errno is None and bool(TRANSIENT_ERRORS.search(str(error)))


def retry_transient(do: Callable[[], T]) -> T:
    """Do what can be done again without harm; raises the OSError that does not pass."""
    pause = FIRST_PAUSE_S
    for _ in range(RETRY_ATTEMPTS - 1):
        try:
            return do()
        except OSError as error:
            if not is_transient(error):
                raise
        time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  # no secret
        pause = min(2 * pause, LONGEST_PAUSE_S)
    return do()
