"""Renewal of a lease in a thread of its own, independent of uploads; its loss ends the command."""

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
    """Renews a lease until it is closed; failed renewals are retried."""

    def __init__(self, lease: Lease, times: LeaseTimes) -> None:
        """Start with a lease that has just been acquired."""
        self._lease, self._times = lease, times
        self._closed, self._lost, self._once = threading.Event(), False, threading.Lock()
        policy = RetryPolicy(first=times.retry, most=times.retry, patience=math.inf)
        what = "cannot renew the lease of the search"
        self._background = Background(what, self._renew, policy, times.renewal, explain=explain_storage)

    @property
    def lost(self) -> bool:
        """Whether another command has taken the search over."""
        return self._lost

    def end_command(self, error: LeaseLostError) -> None:
        """End this command by SIGTERM, as another command has taken over; done and reported once."""
        with self._once:
            if self._lost:
                return
            self._lost = True
        logger.warning(f"{error}; this command ends, and uploads no more")
        if not self._closed.is_set():
            os.kill(os.getpid(), signal.SIGTERM)

    def close(self) -> None:
        """Stop the renewals, and release the lease."""
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
            self.end_command(error)


def explain_storage(error: BaseException) -> str:
    """An error of the storage, or any other error, on one line."""
    return format_storage_error(error) if isinstance(error, OSError) else describe(error)
