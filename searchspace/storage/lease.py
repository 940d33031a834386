"""The lease of a search in shared storage: a file that names the one command that works on it, renewed while it does.

With conditional writes, the file is changed only by a command that read its newest version, so of several commands that
acquire it at once one succeeds. Without them, each command writes, waits, and reads which write came last. The age of
a lease is measured by the store's clock: the file's time against that of another file, written now. Clocks of machines
are not used. The holder's id is also kept in the working copy: a command that finds its own id there was the last to
work on the search, so its copy is the newest.
"""

import os
import secrets
import socket
import threading
import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from trainables.common.errors import UserError
from trainables.config import Frozen
from trainables.storage.files import is_file, read_file, write_file
from trainables.storage.object_store.conditional import (
    ConflictError,
    UnsupportedError,
    Versioned,
)
from trainables.storage.object_store.guarded_uploads import GuardedUploads, open_conditional
from trainables.storage.object_store.remote import PARTIAL, Remote
from trainables.storage.search_storage import LEASE

HOLDER_FILE = "search.holder"
"""File in a working copy with the id of its newest lease."""
RENEWAL_ATTEMPTS = 3
"""Attempts of one renewal that may meet a version that this command itself has written."""


class LeaseTimes(Frozen):
    """Times of a lease, in seconds."""

    stale: float = 90.0
    """Without renewal, after which a lease is void."""
    margin: float = 15.0
    """Before `stale`, from which on nothing is written until the lease is renewed."""
    renewal: float = 20.0
    """Between two renewals."""
    retry: float = 3.0
    """Until a failed renewal is retried."""
    settle: float = 2.0
    """Waited after a write without conditions, before it is read which of two commands has the lease."""


LEASE_TIMES = LeaseTimes()
UNKNOWN_HOLDER = "another command"


class LeaseHolder(Frozen):
    """The command that holds a lease."""

    id: str
    """Id of the lease."""
    process: int
    """Process id of the command."""
    host: str
    """Name of its machine."""
    since: str
    """Start, in UTC by its machine's clock; for messages only."""
    renewed: float = 0.0
    """Number of renewals, so that no two writes of the lease are equal."""
    released: bool = False
    """Whether the holder has released it."""


class LeaseLostError(OSError):
    """Another command has taken over the search, as this one's lease was stale."""


class Lease:
    """The right to write to the search at a URL; thread-safe."""

    def __init__(self, remote: Remote, folder: Path, times: LeaseTimes = LEASE_TIMES) -> None:
        """The lease of the search at `remote`, whose working copy is `folder`."""
        self._remote, self._own, self._times = remote, folder / HOLDER_FILE, times
        self._store = open_conditional(remote)
        self._holder = LeaseHolder(
            id=uuid.uuid4().hex, process=os.getpid(), host=socket.gethostname(),
            since=datetime.now(UTC).isoformat(timespec="seconds"),
        )  # fmt: skip
        self._version: str | None = None
        self._renewed, self._lost = 0.0, ""
        self._lock = threading.Lock()

    @property
    def id(self) -> str:
        """Id of the lease."""
        return self._holder.id

    def guard(self) -> GuardedUploads:
        """Uploads to the search's URL that check this lease, which has been acquired."""
        return GuardedUploads(self._remote, self.check, self.renew, self.id[:8], self._store)

    def acquire(self, name: str) -> bool:
        """Acquire the lease of search `name`; returns whether this working copy had it last.

        Raises `UserError` with the holder where another command has it.
        """
        found = self._read()
        holder = _parse(found)
        mine = holder is not None and is_file(self._own) and read_file(self._own) == holder.id.encode()
        if found and not mine and not (holder and holder.released):
            age = self._measure_age()
            if age < self._times.stale:
                raise UserError(_describe_conflict(name, holder, age, self._times.stale))
        try:
            self._write_first(found.version if found else None)
        except ConflictError as error:
            raise UserError(_describe_conflict(name, _parse(self._read()), 0.0, self._times.stale)) from error
        write_file(self._own, self._holder.id.encode())
        return mine

    def renew(self) -> None:
        """Renew the lease; raises `LeaseLostError` where another command has taken over, or OSError."""
        with self._lock:
            if self._lost:
                raise LeaseLostError(self._lost)
            began = monotonic_seconds()
            self._holder = self._holder.model_copy(update={"renewed": self._holder.renewed + 1})
            self._rewrite()
            self._renewed = began

    def check(self) -> None:
        """Raise `LeaseLostError` where another command has taken over; to be called before each write.

        If the last renewal is too old, as after a suspended machine resumed, the lease is renewed first; raises OSError
        where the store does not answer.
        """
        if self._lost:
            raise LeaseLostError(self._lost)
        if monotonic_seconds() - self._renewed > self._times.stale - self._times.margin:
            self.renew()

    def release(self) -> None:
        """Release the lease; raises as `renew` does."""
        self._holder = self._holder.model_copy(update={"released": True})
        self.renew()

    def _rewrite(self) -> None:
        """Replace the version of the lease that this command wrote; raises `LeaseLostError` if another has."""
        for _ in range(RENEWAL_ATTEMPTS):
            try:
                return self._write(self._version)
            except ConflictError:
                found = self._read()
                self._check_own(found)
                self._version = found.version if found else None
        raise OSError(f"{LEASE} at {self._remote.url} keeps changing")

    def _check_own(self, found: Versioned | None) -> None:
        holder = _parse(found)
        if found is not None and (holder is None or holder.id != self._holder.id):
            self._lost = f"{_describe_holder(holder)} has taken over"
            raise LeaseLostError(self._lost)

    def _write_first(self, version: str | None) -> None:
        """Replace the version of the lease that was found; raises `ConflictError` where another command was faster."""
        self._renewed = monotonic_seconds()
        try:
            self._write(version)
            if self._store is not None and not self._is_exclusive():
                self._store = None
        except UnsupportedError:
            self._store = None
            self._write(version)
        if self._store is None:
            time.sleep(self._times.settle)
            holder = _parse(self._read())
            if holder is None or holder.id != self._holder.id:
                raise ConflictError(LEASE)

    def _is_exclusive(self) -> bool:
        """Whether the store applies the conditions of writes; some ignore them."""
        assert self._store is not None
        try:
            self._store.write(LEASE, self._holder.model_dump_json().encode(), None)
        except ConflictError:
            return True
        return False

    def _write(self, version: str | None) -> None:
        """Write the lease if its version is `version`; without conditional writes, if it is this command's."""
        content = self._holder.model_dump_json().encode()
        if self._store is None:
            if self._version is not None:
                self._check_own(self._read())
            self._version = ""
            return self._remote.write(LEASE, content)
        try:
            self._version = self._store.write(LEASE, content, version)
        except ConflictError:
            found = self._store.read(LEASE)
            if found is None or found.content != content:
                raise
            self._version = found.version  # it was written, and only the response was lost
        return None

    def _read(self) -> Versioned | None:
        if self._store is not None:
            return self._store.read(LEASE)
        content = self._remote.read(LEASE)
        return None if content is None else Versioned(content, "")

    def _measure_age(self) -> float:
        """Seconds since the lease was written, by the store's clock, which is read from a file that is written now."""
        probe = f"{LEASE}.{secrets.token_hex(8)}{PARTIAL}"
        self._remote.write(probe, b"now")
        try:
            present, written = self._remote.changed(probe), self._remote.changed(LEASE)
        finally:
            with suppress(OSError):
                self._remote.delete(probe)
        if present is None or written is None:
            return 0.0  # written or deleted meanwhile: another command is active
        return (present - written) / 1e9


def monotonic_seconds() -> float:
    """Seconds of a clock that cannot be set, and that continues while the machine is suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _parse(found: Versioned | None) -> LeaseHolder | None:
    """The holder of a lease; None where there is none, or it cannot be read."""
    try:
        return LeaseHolder.model_validate_json(found.content) if found else None
    except ValidationError:
        return None


def _describe_holder(holder: LeaseHolder | None) -> str:
    return f"process {holder.process} on {holder.host}" if holder else UNKNOWN_HOLDER


def _describe_conflict(name: str, holder: LeaseHolder | None, age: float, stale: float) -> str:
    since = f", since {holder.since}," if holder else ""
    return (
        f"search {name!r}: {_describe_holder(holder)}{since} is working on it "
        f"(its last sign of life was {max(0.0, age):.0f} s ago; after {stale:.0f} s without one its lease is void)"
    )
