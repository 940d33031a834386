"""Memory that is free again goes back to the system, rather than into a heap as large as it ever was."""

import ctypes

MMAP_THRESHOLD = -3
"""Of glibc's `mallopt`."""
LARGE = 1_000_000
"""Bytes of an allocation that is a mapping of its own, from which it is returned when it is freed."""


def return_freed_memory() -> None:
    """Give large allocations of this process back once they are freed; does nothing without glibc.

    Left to itself, glibc raises the size from which it does so up to 32 MB as such allocations come and go.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(MMAP_THRESHOLD, LARGE)
