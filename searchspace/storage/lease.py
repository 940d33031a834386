"""One machine at a time works on a search in shared storage: a file there says which, and is renewed while it does.

Where the store has conditional writes, the file changes only by who saw its newest version, so that of several commands
that take it at once one succeeds. Elsewhere each writes, waits, and sees whose came last. How old a lease is, is
told by the store's own clock: the time of the file against that of another, written now. No machine's clock matters.
The holder's id is kept in the working copy, too: who finds its own there was the last to work on the search, and has
the newest of it.
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
    open_conditional,
)
from trainables.storage.object_store.guarded_uploads import GuardedUploads
from trainables.storage.object_store.remote import PARTIAL, Remote
from trainables.storage.search_storage import LEASE

HOLDER_FILE = "search.holder"
"""File in a working copy, with the id of its newest lease."""
RENEWAL_ATTEMPTS = 3
"""Renewals in a row that may meet a version that this command itself has written."""


class LeaseTimes(Frozen):
    """Seconds that rule a lease."""

    stale: float = 90.0
    """Without renewal after which a lease counts for nothing."""
    margin: float = 15.0
    """Before that from which on nothing is written until the lease is renewed."""
    renewal: float = 20.0
    """Between two renewals."""
    retry: float = 3.0
    """Until a renewal that failed is tried again."""
    settle: float = 2.0
    """In which two that take a lease at once find each other out, where the store has no conditional writes."""


LEASE_TIMES = LeaseTimes()
UNKNOWN_HOLDER = "another command"


class LeaseHolder(Frozen):
    """Who works on a search."""

    id: str
    """Of this one lease."""
    process: int
    """Process of the command."""
    host: str
    """Its machine."""
    since: str
    """When it began, in UTC by its machine's clock; for people."""
    renewed: float = 0.0
    """How often the lease was renewed, so that no two writes of it are alike."""
    released: bool = False
    """Whether it has ended as it should."""


class LeaseLostError(OSError):
    """Another command works on the search, which took this one for gone."""


class Lease:
    """The right to work on the search at a URL; may be used by several threads."""

    def __init__(self, remote: Remote, folder: Path, times: LeaseTimes = LEASE_TIMES) -> None:
        """For the search at `remote`, whose working copy is `folder`."""
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
        """Of this lease."""
        return self._holder.id

    def guard(self) -> GuardedUploads:
        """Uploads to the search's URL that need this lease, which has been taken."""
        return GuardedUploads(self._remote, self.check, self.renew, self.id[:8], self._store)

    def take(self, name: str) -> bool:
        """Take the right to search `name`; whether the working copy had it last. Raises `UserError` naming who has."""
        found = self._read()
        holder = _parse(found)
        mine = holder is not None and is_file(self._own) and read_file(self._own) == holder.id.encode()
        if found and not mine and not (holder and holder.released):
            age = self._measure_age()
            if age < self._times.stale:
                raise UserError(_say_held(name, holder, age, self._times.stale))
        try:
            self._write_first(found.version if found else None)
        except ConflictError as error:
            raise UserError(_say_held(name, _parse(self._read()), 0.0, self._times.stale)) from error
        write_file(self._own, self._holder.id.encode())
        return mine

    def renew(self) -> None:
        """Say that this command is still there; raises `LeaseLostError` where another has taken over, or OSError."""
        with self._lock:
            if self._lost:
                raise LeaseLostError(self._lost)
            began = monotonic_seconds()
            self._holder = self._holder.model_copy(update={"renewed": self._holder.renewed + 1})
            self._rewrite()
            self._renewed = began

    def check(self) -> None:
        """Raise `LeaseLostError` where another has taken over, or may have by now; to be called before each write.

        Where the last renewal is too long ago, as after a suspended machine woke up, the store is asked; raises OSError
        where it does not answer.
        """
        if self._lost:
            raise LeaseLostError(self._lost)
        if monotonic_seconds() - self._renewed > self._times.stale - self._times.margin:
            self.renew()

    def release(self) -> None:
        """Give the right back; raises as `renew` does."""
        self._holder = self._holder.model_copy(update={"released": True})
        self.renew()

    def _rewrite(self) -> None:
        """Write the lease over its last version; nothing if another has written it since."""
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
            self._lost = f"{_say_who(holder)} has taken over"
            raise LeaseLostError(self._lost)

    def _write_first(self, version: str | None) -> None:
        """Write the lease over the version that was found; raises `ConflictError` where another was faster."""
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
        """Whether the store heeds conditions; some take the request and ignore them."""
        assert self._store is not None
        try:
            self._store.write(LEASE, self._holder.model_dump_json().encode(), None)
        except ConflictError:
            return True
        return False

    def _write(self, version: str | None) -> None:
        """Write the lease if it is at `version`; without conditional writes, if it is this command's."""
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
            self._version = found.version  # it had come, and only the answer had not
        return None

    def _read(self) -> Versioned | None:
        if self._store is not None:
            return self._store.read(LEASE)
        content = self._remote.read(LEASE)
        return None if content is None else Versioned(content, "")

    def _measure_age(self) -> float:
        """Seconds since the lease was written, by the store's clock, which is read off a file that is written now."""
        probe = f"{LEASE}.{secrets.token_hex(8)}{PARTIAL}"
        self._remote.write(probe, b"now")
        try:
            present, written = self._remote.changed(probe), self._remote.changed(LEASE)
        finally:
            with suppress(OSError):
                self._remote.delete(probe)
        if present is None or written is None:
            return 0.0  # written or deleted meanwhile: somebody is there
        return (present - written) / 1e9


def monotonic_seconds() -> float:
    """Seconds by a clock that nobody sets, and that goes on while the machine is suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _parse(found: Versioned | None) -> LeaseHolder | None:
    """Who holds a lease; None where there is none, or it cannot be read."""
    try:
        return LeaseHolder.model_validate_json(found.content) if found else None
    except ValidationError:
        return None


def _say_who(holder: LeaseHolder | None) -> str:
    return f"process {holder.process} on {holder.host}" if holder else UNKNOWN_HOLDER


def _say_held(name: str, holder: LeaseHolder | None, age: float, stale: float) -> str:
    since = f", since {holder.since}," if holder else ""
    return (
        f"search {name!r}: {_say_who(holder)}{since} is working on it "
        f"(its last sign of life was {max(0.0, age):.0f} s ago; after {stale:.0f} s it counts as gone)"
    )
