"""One machine at a time works on a search in shared storage: a file there says which, and is renewed while it does.

Storage knows no locks, so this is an agreement among commands whose clocks agree to within a minute; on one machine
the lock of the folder is what counts. The holder's id is kept in the working copy, too: who finds its own there was the
last to work on the search, and has the newest of it.
"""

import os
import socket
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from trainables.config import Frozen
from trainables.errors import UserError
from trainables.home.storage import Remote

LEASE = "search.lease"
"""File at the search's URL."""
HOLDER = "search.holder"
"""File in a working copy, with the id of its newest lease."""
STALE = 90.0
"""Seconds without renewal after which a lease counts for nothing."""
SETTLE = 1.0
"""Seconds in which two that take a lease at once find each other out."""


class Holder(Frozen):
    """Who works on a search."""

    id: str
    """Of this one lease."""
    process: int
    """Process of the command."""
    host: str
    """Its machine."""
    since: str
    """When it began, in UTC."""
    renewed: float
    """When it was last known to be there, in seconds since 1970."""
    released: bool = False
    """Whether it has ended as it should."""


class LeaseLostError(Exception):
    """Another command works on the search, which took this one for gone."""


class Lease:
    """The right to work on the search at a URL."""

    def __init__(self, remote: Remote, folder: Path) -> None:
        """For the search at `remote`, whose working copy is `folder`."""
        self._remote, self._own = remote, folder / HOLDER
        self._holder = Holder(
            id=uuid.uuid4().hex, process=os.getpid(), host=socket.gethostname(),
            since=datetime.now(UTC).isoformat(timespec="seconds"), renewed=time.time(),
        )  # fmt: skip

    def take(self, name: str) -> bool:
        """Take the right to search `name`; whether the working copy had it last. Raises `UserError` naming who has."""
        found = self._read()
        mine = found is not None and self._own.is_file() and self._own.read_text() == found.id
        if found and not mine and not found.released and time.time() - found.renewed < STALE:
            raise UserError(_say_held(name, found))
        self._write()
        time.sleep(SETTLE)
        other = self._read()
        if other is None or other.id != self._holder.id:
            raise UserError(_say_held(name, other or self._holder))
        self._own.write_text(self._holder.id)
        return mine

    def renew(self) -> None:
        """Say that this command is still there; raises `LeaseLostError` where another has taken over, or OSError."""
        found = self._read()
        if found is not None and found.id != self._holder.id:
            raise LeaseLostError(f"process {found.process} on {found.host} has taken over")
        self._holder = self._holder.model_copy(update={"renewed": time.time()})
        self._write()

    def release(self) -> None:
        """Give the right back; raises as `renew` does."""
        self._holder = self._holder.model_copy(update={"released": True})
        self.renew()

    def _read(self) -> Holder | None:
        content = self._remote.read(LEASE)
        try:
            return Holder.model_validate_json(content) if content else None
        except ValidationError:
            return None

    def _write(self) -> None:
        self._remote.write(LEASE, self._holder.model_dump_json().encode())


def _say_held(name: str, holder: Holder) -> str:
    ago = max(0.0, time.time() - holder.renewed)
    return (
        f"search {name!r}: process {holder.process} on {holder.host}, since {holder.since}, is working on it "
        f"(its last sign of life was {ago:.0f} s ago; after {STALE:.0f} s it counts as gone)"
    )
