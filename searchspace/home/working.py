"""Working on a search: nobody else does meanwhile, and what it leaves at a URL is brought up to date as it goes."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from searchspace.home.lease import TIMES, Lease, LeaseLostError, LeaseTimes
from searchspace.home.lease_keeper import LeaseKeeper
from searchspace.home.lock import locked
from searchspace.spec import SearchSpec
from trainables.errors import UserError
from trainables.home.mirror import Mirror, without_checkpoints
from trainables.home.storage import Remote, open_remote, say_trouble

PERIOD = 5.0
"""Seconds between two uploads of what changed: so much of a journal a lost machine takes with it."""
PATIENCE = 60.0
"""Seconds that the end of a command tries to upload what is left."""
Say = Callable[[str], None]


@contextmanager
def working_on(spec: SearchSpec, say: Say, begun: bool, times: LeaseTimes = TIMES) -> Iterator[Mirror]:
    """Hold a search while the block runs, its folder the newest there is; raises `UserError` naming who else holds it.

    With a URL, its folder is a working copy. Where this machine was the last to work on a search that was `begun`, the
    copy counts, which may be ahead of the URL by what a kill left behind; otherwise the URL does.
    """
    with locked(spec.folder):
        if not spec.home.url:
            yield Mirror(spec.home)
            return
        open_remote("--results", spec.results)
        with _storage_told(spec):
            lease = Lease(Remote.open(spec.home.url), spec.folder, times)
            mine, mirror = lease.take(spec.name), Mirror(spec.home)
        keeper = LeaseKeeper(lease, times, say)
        try:
            with _storage_told(spec):
                mirror.guard(lease.check, lease.id[:8])
                mirror.clear()
                if mine and begun:
                    mirror.adopt()
                else:
                    mirror.replace(without_checkpoints)
            upkeep = Upkeep(mirror, keeper, say)
            try:
                yield mirror
            finally:
                upkeep.close()
        finally:
            keeper.close()


@contextmanager
def _storage_told(spec: SearchSpec) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"--results {spec.results!r}: {say_trouble(error)}") from error


class Upkeep:
    """Uploads what changed, in a thread; what fails is tried again, and ends nothing but by the loss of the lease."""

    def __init__(self, mirror: Mirror, keeper: LeaseKeeper, say: Say) -> None:
        """Begin."""
        self._mirror, self._keeper, self._say = mirror, keeper, say
        self._over, self._trouble = threading.Event(), ""
        self._thread = threading.Thread(target=self._keep_up, name="upload", daemon=True)
        self._thread.start()

    def _keep_up(self) -> None:
        while not self._over.wait(PERIOD) and not self._keeper.lost:
            self._try()

    def _try(self) -> None:
        try:
            self._mirror.push()
            self._trouble = ""
        except LeaseLostError as error:
            self._keeper.end(error)
        except OSError as error:
            if not self._trouble:
                self._say(f"warning: cannot upload to {self._mirror.home.url} ({say_trouble(error)}); trying again")
            self._trouble = say_trouble(error)

    def close(self) -> None:
        """Upload what is left; says so if that cannot be."""
        self._over.set()
        self._thread.join()
        deadline = time.monotonic() + PATIENCE
        while not self._keeper.lost:
            self._try()
            if not self._trouble or time.monotonic() > deadline:
                break
            time.sleep(1.0)
        if self._trouble:
            home = self._mirror.home
            self._say(
                f"warning: not everything is at {home.url} ({self._trouble}); it is in {home.folder}, "
                "and the next --resume on this machine uploads it"
            )
