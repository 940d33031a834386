"""Limits of open connections: in total and per peer address, deadlines, and a reserve for `/healthz`.

A connection whose request has not arrived whole can be closed without loss. So where a limit is reached, the
stalest of these is closed to make room, and half-sent requests cannot lock other clients out. A head is stale since its
connection was accepted, a body since its last byte. Reading is paused while a request waits for its share of the
budget, and such a body counts as stale too: if it did not, a client could stop there and keep its place.
"""

import enum
import resource
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Protocol

MAX_CONNECTIONS = 512
"""Connections at a time."""
RESERVED_CONNECTIONS = 64
"""Connections beyond these, on which only `/healthz` is answered; the others get status 503."""
CLOSE_TIMEOUT_S = 5.0
"""Seconds in which what is left to be sent has to be taken when a connection is closed."""
WRITE_TIMEOUT_S = 30.0
"""Seconds in which a peer has to take what it is sent."""


class ConnectionPhase(enum.Enum):
    """The phase of a connection."""

    HEAD = "the end of a request's head"
    BODY = "the end of a request's body"
    REQUEST = "the answer to a request"
    REST = "the end of a request that is answered already"
    IDLE = "the next request"


PHASE_TIMEOUTS_S = {ConnectionPhase.HEAD: 10.0, ConnectionPhase.REST: 10.0, ConnectionPhase.IDLE: 5.0}
"""Seconds that a connection may wait; bodies and answers have limits of their own (`serve/upload.py`)."""


class LimitedConnection(Protocol):
    """A connection, as the gate sees it."""

    phase: ConnectionPhase
    since: float
    """Seconds of the loop's clock at which its phase began; of HEAD, when it was accepted; of BODY, its last byte."""
    peer: str
    reserved: bool


class ConnectionLimits:
    """The open connections."""

    def __init__(self, most: int = MAX_CONNECTIONS, reserve: int = RESERVED_CONNECTIONS) -> None:
        """At most `most`, half of them from one peer, and `reserve` beyond."""
        self.most, self.reserve, self.by_peer = most, reserve, max(1, most // 2)
        self.members: set[LimitedConnection] = set()
        self._peers: Counter[str] = Counter()

    def admit(self, member: LimitedConnection) -> LimitedConnection | None:
        """Let a connection in, on the reserve where all others are busy; returns which one is to be closed for it.

        That may be `member` itself.
        """
        rivals = self._rivals(member)
        victim = find_stalest(rivals)
        if rivals and victim is None:
            member.reserved = True
            reserved = [found for found in self.members if found.reserved]
            if len(reserved) >= self.reserve and (victim := find_stalest(reserved)) is None:
                return member
        if victim:
            self.forget(victim)  # at once: it may take a while until it is closed
        self.members.add(member)
        self._count(member, 1)
        return victim

    def _rivals(self, member: LimitedConnection) -> list[LimitedConnection]:
        """Those of whom one has to go for `member`; empty where there is room."""
        if self._peers[member.peer] >= self.by_peer:
            return [found for found in self.members if found.peer == member.peer and not found.reserved]
        if self._peers.total() >= self.most:
            return [found for found in self.members if not found.reserved]
        return []

    def forget(self, member: LimitedConnection) -> None:
        """A connection is closed."""
        if member in self.members:
            self.members.remove(member)
            self._count(member, -1)

    def _count(self, member: LimitedConnection, change: int) -> None:
        if not member.reserved:
            self._peers[member.peer] += change
            if not self._peers[member.peer]:
                del self._peers[member.peer]


def find_stalest(members: Iterable[LimitedConnection]) -> LimitedConnection | None:
    """The stalest of the connections whose request is not whole; a whole request is never a victim."""
    waiting = (member for member in members if member.phase is not ConnectionPhase.REQUEST)
    return min(waiting, key=lambda member: member.since, default=None)


def is_overdue(phase: ConnectionPhase, seconds: float) -> bool:
    """Whether a connection has waited for longer than it may."""
    return seconds > PHASE_TIMEOUTS_S.get(phase, float("inf"))


@lru_cache(1024)
def peer_of(address: str) -> str:
    """What counts as one peer: an IPv4 address, or the 64 bits of a network that an IPv6 host is given."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or ip_network((found, 64), strict=False))
    return str(found)


def count_connections() -> int:
    """Connections that this process may have: `CONNECTIONS`, or what its limit of open files leaves."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CONNECTIONS if soft < 0 else max(8, min(MAX_CONNECTIONS, soft // 2 - RESERVED_CONNECTIONS))
