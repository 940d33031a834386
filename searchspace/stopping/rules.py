"""The early-stopping rules by name: one file, and one line here, adds one."""

from collections.abc import Callable
from dataclasses import dataclass

from searchspace.stopping.asha import Asha
from searchspace.stopping.asha_seconds import AshaSeconds
from searchspace.stopping.by_kind import ByKind
from searchspace.stopping.full_length import FullLength
from searchspace.stopping.pasha import Pasha
from searchspace.stopping.rule import Rule
from searchspace.stopping.rung import Order, by_merit
from trainables.common.errors import UserError


@dataclass(frozen=True)
class Scheduler:
    """An early-stopping rule known by name."""

    summary: str
    """One line for `--help` and the README."""
    make: Callable[[tuple[int, ...], int], Rule]
    """Rungs in epochs, reduction factor -> the rule, for one objective and epochs as the resource."""
    waits: bool = True
    """Whether trials wait at the rungs."""


SCHEDULERS: dict[str, Scheduler] = {
    "asha": Scheduler("one trial in so many goes on from each rung, best first (arXiv:1810.05934)", Asha),
    "pasha": Scheduler("ASHA that goes no further than it takes to know the ranking (arXiv:2207.06940)", Pasha),
    "none": Scheduler("every trial runs its full length", lambda _rungs, _factor: FullLength(), waits=False),
}


def make_rule(scheduler: str, unit: str, rungs: tuple[int, ...], factor: int, order: Order = by_merit) -> Rule:
    """The rule of a search; raises `UserError` for a combination that there is none for.

    Kinds of networks are compared with each other at equal seconds, and at full length, but not at equal epochs.
    """
    special = unit == "seconds" or order is not by_merit
    if scheduler == "none" or not special:
        return ByKind(lambda: SCHEDULERS[scheduler].make(rungs, factor))
    if scheduler != "asha":
        raise UserError(f"--scheduler {scheduler!r}: knows epochs and one objective only; asha knows the others")
    if unit == "seconds" and order is not by_merit:
        raise UserError("--budget-unit 'seconds': works with one objective only; leave --objectives at accuracy")
    return AshaSeconds(rungs, factor) if unit == "seconds" else ByKind(lambda: Asha(rungs, factor, order))
