"""The early-stopping rules by name: one file, and one line in `SCHEDULERS`, adds one. Options and tests follow."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from searchspace.stopping.asha import Asha
from searchspace.stopping.asha_seconds import AshaSeconds
from searchspace.stopping.by_kind import ByKind
from searchspace.stopping.full_length import FullLength
from searchspace.stopping.median import MedianStopping
from searchspace.stopping.pasha import Pasha
from searchspace.stopping.rule import StoppingRule
from searchspace.stopping.rung import Order, by_value, rungs
from trainables.common.errors import UserError

Rungs = tuple[int, ...]
"""Epochs at which trials are compared, ascending."""


@dataclass(frozen=True)
class Scheduler:
    """An early-stopping rule known by name."""

    summary: str
    """One line for the docs."""
    make: Callable[[Rungs, int], StoppingRule]
    """Rungs, reduction factor -> the rule, for one objective and epochs as the resource."""
    uses_rungs: bool = True
    """Whether trials pause at the rungs."""
    make_ordered: Callable[[Rungs, int, Order], StoppingRule] | None = None
    """The same, for two objectives, whose order is given; None: not possible."""
    make_by_seconds: Callable[[Rungs, int], StoppingRule] | None = None
    """The same, for seconds as the resource; None: not possible."""
    aliases: tuple[str, ...] = ()
    """Names that other tools have for it."""


SCHEDULERS: dict[str, Scheduler] = {
    "asha": Scheduler(
        "one trial in so many trains on from each rung, best first (arXiv:1810.05934)",
        Asha, make_ordered=Asha, make_by_seconds=AshaSeconds, aliases=("hyperband", "successive-halving"),
    ),
    "pasha": Scheduler("ASHA that trains no longer than it takes to know the ranking (arXiv:2207.06940)", Pasha),
    "median": Scheduler("pauses what is below the median of the running averages (Vizier, KDD 2017)", MedianStopping),
    "none": Scheduler("every trial runs its full length", lambda _rungs, _factor: FullLength(), uses_rungs=False),
}  # fmt: skip
if TYPE_CHECKING:
    SchedulerName = str
else:
    SchedulerName = Literal[tuple(SCHEDULERS)]
    """A name in `SCHEDULERS`: what `--scheduler` takes."""


def pausing_epochs(scheduler: str, grace_epochs: int, reduction_factor: int, max_epochs: int) -> Rungs:
    """Rungs at which the trials of a search pause; none where its rule uses none."""
    return rungs(grace_epochs, reduction_factor, max_epochs) if SCHEDULERS[scheduler].uses_rungs else ()


def make_rule(scheduler: str, unit: str, epochs: Rungs, factor: int, order: Order = by_value) -> StoppingRule:
    """The rule of a search with rungs at `epochs`; raises `UserError` for a combination that there is none for.

    Kinds of networks are compared with each other at equal seconds, and at full length, but not at equal epochs.
    """
    known = SCHEDULERS[scheduler]
    by_seconds, ordered = unit == "seconds", order is not by_value
    if not known.uses_rungs or not (by_seconds or ordered):
        return ByKind(lambda: known.make(epochs, factor))
    make_by_seconds, make_ordered = known.make_by_seconds, known.make_ordered
    if (by_seconds and make_by_seconds is None) or (ordered and make_ordered is None):
        able = " and ".join(name for name, each in SCHEDULERS.items() if each.make_by_seconds and each.make_ordered)
        raise UserError(f"--scheduler {scheduler!r}: knows epochs and one objective only; {able} knows the others")
    if by_seconds and ordered:
        raise UserError("--budget-unit 'seconds': works with one objective only; leave --objectives at accuracy")
    if make_by_seconds is not None and by_seconds:
        return make_by_seconds(epochs, factor)
    assert make_ordered is not None  # refused above
    return ByKind(lambda: make_ordered(epochs, factor, order))
