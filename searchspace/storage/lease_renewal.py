"""Renewing a lease in a thread of its own, which waits for no upload; who loses it ends the command."""

import logging
import math
import os
import signal
import threading
from contextlib import suppress

from searchspace.storage.lease import Lease, LeaseLostError, LeaseTimes
from trainables.common.background import Background, describe
from trainables.common.retry import RetryPolicy
from trainables.storage.object_store.remote import format_storage_error

logger = logging.getLogger(__name__)


class LeaseRenewal:
    """Renews a lease until it is closed; a renewal that fails is tried again soon."""

    def __init__(self, lease: Lease, times: LeaseTimes) -> None:
        """Begin with a lease that has just been taken."""
        self._lease, self._times = lease, times
        self._closed, self._lost, self._once = threading.Event(), False, threading.Lock()
        policy = RetryPolicy(first=times.retry, most=times.retry, patience=math.inf)
        what = "cannot renew the lease of the search"
        self._background = Background(what, self._renew, policy, times.renewal, explain=explain_storage)

    @property
    def lost(self) -> bool:
        """Whether another command has taken the search over."""
        return self._lost

    def end(self, error: LeaseLostError) -> None:
        """End this command as by SIGTERM, because another has taken over; said once, whoever notices first."""
        with self._once:
            if self._lost:
                return
            self._lost = True
        logger.warning(f"{error}; this command ends, and uploads no more")
        if not self._closed.is_set():
            os.kill(os.getpid(), signal.SIGTERM)

    def close(self) -> None:
        """Renew no more, and give the lease back."""
        self._closed.set()
        self._background.close(self._times.stale)
        with suppress(OSError):
            self._lease.release()

    def _renew(self) -> None:
        if self._lost:
            return
        try:
            self._lease.renew()
        except LeaseLostError as error:
            self.end(error)


def explain_storage(error: BaseException) -> str:
    """What a storage said, or another error in its own words, on one line."""
    return format_storage_error(error) if isinstance(error, OSError) else describe(error)
