"""Renewing a lease in a thread of its own, which waits for no upload; who loses it ends the command."""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress

from searchspace.home.lease import Lease, LeaseLostError, LeaseTimes
from trainables.home.storage import say_trouble


class LeaseKeeper:
    """Renews a lease until it is closed; a renewal that fails is tried again soon."""

    def __init__(self, lease: Lease, times: LeaseTimes, say: Callable[[str], None]) -> None:
        """Begin with a lease that has just been taken."""
        self._lease, self._times, self._say = lease, times, say
        self._closed, self._lost, self._once = threading.Event(), False, threading.Lock()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

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
        self._say(f"warning: {error}; this command ends, and uploads no more")
        if not self._closed.is_set():
            os.kill(os.getpid(), signal.SIGTERM)

    def close(self) -> None:
        """Renew no more, and give the lease back."""
        self._closed.set()
        self._thread.join()
        with suppress(OSError):
            self._lease.release()

    def _keep(self) -> None:
        wait, told = self._times.renewal, False
        while not self._closed.wait(wait):
            try:
                self._lease.renew()
                wait, told = self._times.renewal, False
            except LeaseLostError as error:
                return self.end(error)
            except OSError as error:
                if not told:
                    self._say(f"warning: cannot renew the lease of the search ({say_trouble(error)}); trying again")
                wait, told = self._times.retry, True
        return None
