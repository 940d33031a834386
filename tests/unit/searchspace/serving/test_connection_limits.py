"""Which connections stay: decided without any."""

from dataclasses import dataclass

import pytest

from searchspace.serving.connection_limits import (
    PHASE_TIMEOUTS_S,
    ConnectionLimits,
    ConnectionPhase,
    is_overdue,
    peer_of,
)


@dataclass(eq=False)
class Made:
    since: float
    peer: str = "a"
    phase: ConnectionPhase = ConnectionPhase.HEAD
    reserved: bool = False


def admitted(
    gate: ConnectionLimits, number: int, peer: str = "a", phase: ConnectionPhase = ConnectionPhase.HEAD
) -> list[Made]:
    made = [Made(float(since), peer, phase) for since in range(number)]
    assert [gate.admit(one) for one in made] == [None] * number
    return made


@pytest.mark.parametrize(
    "phase", [ConnectionPhase.HEAD, ConnectionPhase.BODY, ConnectionPhase.IDLE, ConnectionPhase.REST]
)
def test_of_a_peer_that_has_its_share_the_oldest_without_a_request_goes(phase):
    gate = ConnectionLimits(most=8, reserve=2)
    others, mine = admitted(gate, 1, "b"), admitted(gate, 4)
    mine[0].phase, mine[1].phase = ConnectionPhase.REQUEST, phase
    newcomer = Made(99.0)
    assert gate.admit(newcomer) is mine[1]
    assert not newcomer.reserved
    assert gate.members == {*others, mine[0], *mine[2:], newcomer}


def test_where_all_are_busy_a_newcomer_is_let_in_on_the_reserve_and_the_reserve_is_kept_free():
    gate = ConnectionLimits(most=8, reserve=2)
    admitted(gate, 4, "a", ConnectionPhase.REQUEST)
    on_reserve = [Made(10.0), Made(11.0), Made(12.0)]
    assert [gate.admit(one) for one in on_reserve] == [None, None, on_reserve[0]]
    assert all(one.reserved for one in on_reserve)
    for one in on_reserve:
        one.phase = ConnectionPhase.REQUEST
    last = Made(13.0)
    assert gate.admit(last) is last
    assert last not in gate.members
    assert gate.admit(Made(14.0, "b")) is None, "another peer has its own share"


def test_room_is_made_by_who_leaves():
    gate = ConnectionLimits(most=8, reserve=1)
    busy = admitted(gate, 4, "a", ConnectionPhase.REQUEST)
    for one in (*busy, *busy):
        gate.forget(one)
    fresh = admitted(gate, 4)
    assert not any(one.reserved for one in fresh)
    assert len(gate.members) == 4


def test_no_number_of_connections_is_more_than_the_limits_allow():
    gate = ConnectionLimits(most=8, reserve=2)
    for number in range(1000):
        gate.admit(
            Made(float(number), f"{number % 7}", ConnectionPhase.REQUEST if number % 3 else ConnectionPhase.HEAD)
        )
        assert len(gate.members) <= 10


def test_only_an_answer_may_take_longer_than_its_phase():
    for phase in ConnectionPhase:
        assert not is_overdue(phase, 4.9)
        assert is_overdue(phase, 10.1) == (phase in PHASE_TIMEOUTS_S)


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        ("10.0.0.1", "10.0.0.1"), ("::ffff:10.0.0.1", "10.0.0.1"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"), ("", ""), ("a name", "a name"),
    ],
)  # fmt: skip
def test_hosts_of_one_network_of_ipv6_are_one_peer(address, peer):
    assert peer_of(address) == peer
