"""Retries of requests that an object store rejects for the moment, beyond pyarrow's own.

Measured with pyarrow 25 and an S3 server that fails at random: pyarrow's client tries 500, 503 and broken connections
ten times, and 429 never.
"""

import random
import re
import time
from collections.abc import Callable
from typing import TypeVar

RETRY_ATTEMPTS = 6
"""Attempts of one operation; with the pauses some 15 s, beside pyarrow's own."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 8.0
"""Seconds of the first and the longest pause; pauses double, with random jitter, since many workers may retry."""
TRANSIENT_ERRORS = re.compile(
    r"HTTP status (429|5\d\d)|SLOW_?DOWN|TooManyRequests|THROTTL|SERVICE_UNAVAILABLE|INTERNAL_FAILURE"
    r"|NETWORK_CONNECTION|REQUEST_TIMEOUT|curlCode",
    re.IGNORECASE,
)
"""Texts of transient errors; pyarrow's errors have no codes."""
T = TypeVar("T")


def is_transient(error: OSError) -> bool:
    """Whether an error of a store may pass; errors with a code, such as a missing file or permission, do not."""
    return error.errno is None and bool(TRANSIENT_ERRORS.search(str(error)))


def retry_transient(do: Callable[[], T]) -> T:
    """Call an idempotent function until it succeeds; raises OSErrors that are not transient, or the last one."""
    pause = FIRST_PAUSE_S
    for _ in range(RETRY_ATTEMPTS - 1):
        try:
            return do()
        except OSError as error:
            if not is_transient(error):
                raise
        time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  # jitter
        pause = min(2 * pause, LONGEST_PAUSE_S)
    return do()
