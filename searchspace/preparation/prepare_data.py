"""What is there before any worker starts: the data, limits that are known, and a plan; what is wrong is told here."""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from searchspace.constraints.constraints import ConstraintChecker
from searchspace.constraints.feasibility import check_feasible
from searchspace.finals.validation_images import format_validation, with_recorded_validation
from searchspace.preparation import preflight
from searchspace.preparation.data_issues import describe_absent, describe_skipped
from searchspace.preparation.plan import Plan, make_plan
from searchspace.preparation.resume import check_same_data
from searchspace.progress.console_reporter import Clock
from searchspace.spaces import is_unbalanced
from searchspace.spec import SearchSpec

if TYPE_CHECKING:
    from searchspace.cluster.placement import Room
    from trainables.data.store.data_summary import DataSummary

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ready:
    """What is there before any worker starts."""

    data: "DataSummary"
    gate: ConstraintChecker
    """Of the search."""
    student_gate: ConstraintChecker
    """Of the winner's student; the search's own where there will be none."""
    plan: Callable[["Room"], Plan]
    """From the room on the cluster to the plan; made once."""


@contextmanager
def prepared(spec: SearchSpec, clock: Clock, resumed: bool = False) -> Iterator[Ready]:
    """Data and gate; and, on this machine alone, the plan: what is wrong is told before Ray starts."""
    data = prepare_shared(spec, clock, resumed)
    logger.info(describe_data(data))
    if data.skipped:
        logger.info(describe_skipped(data))
    for line in describe_absent(data.absent):
        logger.warning(line)
    made: list[Plan] = []

    def plan(room: "Room") -> Plan:
        if not made:
            made.append(make_plan(spec, data, room, gate.latencies))
            check_feasible(student_gate, spec, made[0].space, made[0].task)
        return made[0]

    with (
        closing(ConstraintChecker(spec.of_winner, data)) as gate,
        closing(ConstraintChecker(spec, data)) if spec.distil else nullcontext(gate) as student_gate,
    ):
        if not spec.address:
            plan(preflight.local_room())
        yield Ready(data, gate, student_gate, plan)


def prepare_shared(spec: SearchSpec, clock: Clock, resumed: bool = False) -> "DataSummary":
    """The data, prepared here; and where results are at a URL, also there for a cluster's other nodes.

    A search that is `resumed` keeps the finals' validation that it was begun with. Raises `UserError` where it is on
    other data: its record names a folder here, and what lies there goes to the URL only if the search was begun on it.
    """
    from trainables.data.store.shared_store import share_store
    from trainables.data.store.store import prepare_data

    found = prepare_data(spec.data, clock, spec.on_bad_image)
    if resumed:
        check_same_data(spec, found)
    data = with_recorded_validation(found, spec.folder)
    return share_store(data, spec.results) if spec.address and spec.home.url else data


def describe_data(data: "DataSummary") -> str:
    """One line on the data, and what to know of its splits."""
    leaked = f"; {data.leaked:,} images occur in two splits (leaked-images.csv)" if data.leaked else ""
    fewest, most = min(data.counts, default=0), max(data.counts, default=0)
    uneven = f"; unbalanced: {fewest:,} to {most:,} training images a class" if is_unbalanced(data) else ""
    shape = f"{data.height}x{data.width} {'grey' if data.channels == 1 else 'RGB'}"
    held = f"; {format_validation(data.finals)}" if data.finals.source == "held back" else ""
    return (
        f"{data.name}: {len(data.classes)} classes, {shape}, "
        f"{data.train:,} train, {data.val:,} val, {data.test:,} test ({data.split}){held}{leaked}{uneven}"
    )
