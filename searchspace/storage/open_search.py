"""Opening a search to work on it: it is locked for other commands, and changes are uploaded to its URL meanwhile."""

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
"""Seconds between two uploads of changes: what a lost machine can lose of the journal."""
FINAL_UPLOAD_S = 60.0
"""Seconds for which the end of a command tries to upload the rest."""


@contextmanager
def hold_search(spec: SearchSpec, begun: bool, times: LeaseTimes = LEASE_TIMES) -> Iterator[FolderSync]:
    """Lock a search while the block runs, and bring its folder up to date; raises `UserError` with another holder.

    With a URL, its folder is a working copy. If this machine was the last to work on a search that was `begun`, the
    copy is the newer one: it may have changes that a kill kept from the URL. Otherwise the URL is.
    """
    with hold_lock(spec.folder):
        if not spec.home.url:
            yield FolderSync(spec.home)
            return
        open_remote("--results", spec.results)
        with _explain_storage_errors(spec):
            lease = Lease(Remote.open(spec.home.url), spec.folder, times)
            mine = lease.acquire(spec.name)
            sync = FolderSync(spec.home.model_copy(update={"lease": lease.id}))
        keeper = LeaseRenewal(lease, times)
        try:
            with _explain_storage_errors(spec):
                sync.guard_uploads(lease.guard())
                sync.remove_partial_uploads()
                if mine and begun:
                    sync.prefer_local()
                else:
                    sync.prefer_remote(without_checkpoints)
            upload = BackgroundUpload(sync, keeper)
            try:
                yield sync
            finally:
                upload.close()
        finally:
            keeper.close()


@contextmanager
def _explain_storage_errors(spec: SearchSpec) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"--results {spec.results!r}: {format_storage_error(error)}") from error


class BackgroundUpload:
    """Uploads changes in the background; failures are retried, and only the loss of the lease ends it."""

    def __init__(self, sync: FolderSync, keeper: LeaseRenewal) -> None:
        """Start the uploads."""
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
            self._keeper.end_command(error)

    def close(self) -> None:
        """Upload the rest; prints a warning if that fails."""
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
