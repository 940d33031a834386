"""Working on a search: nobody else does meanwhile, and what it leaves at a URL is brought up to date as it goes."""

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from searchspace.spec import SearchSpec
from searchspace.storage.lease import LEASE_TIMES, Lease, LeaseLostError, LeaseTimes
from searchspace.storage.lease_renewal import LeaseRenewal, explain_storage
from searchspace.storage.search_lock import hold_lock
from trainables.common.background import Background
from trainables.common.errors import UserError
from trainables.common.retry import RetryPolicy
from trainables.storage.folder_sync import FolderSync, without_checkpoints
from trainables.storage.object_store.remote import Remote, format_storage_error, open_remote

logger = logging.getLogger(__name__)

UPLOAD_INTERVAL_S = 5.0
"""Seconds between two uploads of what changed: so much of a journal a lost machine takes with it."""
FINAL_UPLOAD_S = 60.0
"""Seconds that the end of a command tries to upload what is left."""


@contextmanager
def hold_search(spec: SearchSpec, begun: bool, times: LeaseTimes = LEASE_TIMES) -> Iterator[FolderSync]:
    """Hold a search while the block runs, its folder the newest there is; raises `UserError` naming who else holds it.

    With a URL, its folder is a working copy. Where this machine was the last to work on a search that was `begun`, the
    copy counts, which may be ahead of the URL by what a kill left behind; otherwise the URL does.
    """
    with hold_lock(spec.folder):
        if not spec.home.url:
            yield FolderSync(spec.home)
            return
        open_remote("--results", spec.results)
        with _storage_told(spec):
            lease = Lease(Remote.open(spec.home.url), spec.folder, times)
            mine = lease.take(spec.name)
            sync = FolderSync(spec.home.model_copy(update={"lease": lease.id}))
        keeper = LeaseRenewal(lease, times)
        try:
            with _storage_told(spec):
                sync.guard_uploads(lease.guard())
                sync.remove_partial_uploads()
                if mine and begun:
                    sync.prefer_local()
                else:
                    sync.prefer_remote(without_checkpoints)
            upkeep = BackgroundUpload(sync, keeper)
            try:
                yield sync
            finally:
                upkeep.close()
        finally:
            keeper.close()


@contextmanager
def _storage_told(spec: SearchSpec) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"--results {spec.results!r}: {format_storage_error(error)}") from error


class BackgroundUpload:
    """Uploads what changed, in the background; what fails is tried again, and only the loss of the lease ends it."""

    def __init__(self, sync: FolderSync, keeper: LeaseRenewal) -> None:
        """Begin."""
        self._sync, self._keeper = sync, keeper
        policy = RetryPolicy(first=UPLOAD_INTERVAL_S, most=6 * UPLOAD_INTERVAL_S, patience=math.inf)
        what = f"cannot upload to {sync.storage.url}"
        self._background = Background(what, self._push, policy, UPLOAD_INTERVAL_S, explain=explain_storage)

    def _push(self) -> None:
        if self._keeper.lost:
            return
        try:
            self._sync.push()
        except LeaseLostError as error:
            self._keeper.end(error)

    def close(self) -> None:
        """Upload what is left; says so if that cannot be."""
        self._background.close()
        deadline = time.monotonic() + FINAL_UPLOAD_S
        while not self._background.attempt() and time.monotonic() < deadline:
            time.sleep(min(1.0, UPLOAD_INTERVAL_S))
        error = self._background.error
        if error is not None and not self._keeper.lost:
            home = self._sync.storage
            logger.warning(
                f"not everything is at {home.url} ({explain_storage(error)}); it is in {home.folder}, "
                "and the next --resume on this machine uploads it"
            )
