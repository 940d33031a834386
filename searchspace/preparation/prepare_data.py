"""Prepares and describes the data of a search, and makes the checks and the plan that depend on them."""

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from searchspace.constraints.constraints import ConstraintChecker
from searchspace.finals.validation_images import format_validation, with_recorded_validation
from searchspace.preparation import preflight
from searchspace.preparation.data_issues import describe_absent, describe_skipped
from searchspace.preparation.plan import Planner
from searchspace.preparation.resume import check_same_data
from searchspace.preparation.storage_options import resolve_options
from searchspace.spaces import is_unbalanced
from searchspace.spec import SearchSpec
from trainables.common.reporter import Reporter

if TYPE_CHECKING:
    from trainables.data.store.data_summary import DataSummary

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PreparedData:
    """The data, and what depends on them alone."""

    data: "DataSummary"
    constraints: ConstraintChecker
    """Of the search and its winner."""
    student_constraints: ConstraintChecker
    """Of the winner's student; the search's own where there will be none."""
    planner: Planner
    """Plans the search for a cluster."""


@contextmanager
def prepare_search_data(spec: SearchSpec, reporter: Reporter, resumed: bool = False) -> Iterator[PreparedData]:
    """Prepare the data, and on this machine alone plan the search, so that errors are raised before Ray starts."""
    data = prepare_shared(spec, reporter, resumed)
    logger.info(describe_data(data))
    if data.skipped:
        logger.info(describe_skipped(data))
    for line in describe_absent(data.absent):
        logger.warning(line)
    for line in data.copies.describe() if data.copies else ():
        logger.warning(line)
    if data.grouping:
        for line in data.grouping.describe():
            logger.log(logging.WARNING if data.grouping.shared else logging.INFO, line)
    with (
        closing(ConstraintChecker(spec.for_winner, data)) as constraints,
        closing(ConstraintChecker(spec, data)) if spec.distil else nullcontext(constraints) as student_constraints,
    ):
        planner = Planner(spec, data, constraints, student_constraints)
        if not spec.address:
            planner.plan(preflight.local_resources())
        yield PreparedData(data, constraints, student_constraints, planner)


def prepare_shared(spec: SearchSpec, reporter: Reporter, resumed: bool = False) -> "DataSummary":
    """The data, prepared here; and where results are at a URL, also there for a cluster's other nodes.

    A search that is `resumed` keeps the finals' validation that it was begun with. Raises `UserError` where it is on
    other data: its record names a folder here, and what lies there goes to the URL only if the search was begun on it.
    """
    from trainables.data.store.shared_store import share_store
    from trainables.data.store.store import prepare_data

    found = prepare_data(spec.data, reporter, resolve_options(spec, resumed))
    if resumed:
        check_same_data(spec, found)
    data = with_recorded_validation(_with_folds(found, spec), spec.folder)
    return share_store(data, spec.results) if spec.address and spec.home.url else data


def _with_folds(data: "DataSummary", spec: SearchSpec) -> "DataSummary":
    """`data` with the folds that the search asks for; raises `UserError` where there are too few images for them."""
    from trainables.data.folds import check_folds, cross_validated
    from trainables.data.store.store import open_store

    if spec.folds <= 1:
        return data
    store = open_store(data)
    groups = None if store.groups is None else store.groups[: data.train]
    check_folds(store.labels[: data.train], spec.folds, spec.final_seeds, data.classes, groups)
    return cross_validated(data, spec.folds)


def describe_data(data: "DataSummary") -> str:
    """One line on the data, and what to know of its splits."""
    leaked = f"; {data.leaked:,} images occur in two splits (leaked-images.csv)" if data.leaked else ""
    if data.copies and (count := sum(data.copies.left_out.values())):
        leaked += f"; {count:,} images left out as copies of held-out images (leaked-images.csv)"
    fewest, most = min(data.counts, default=0), max(data.counts, default=0)
    uneven = f"; unbalanced: {fewest:,} to {most:,} training images a class" if is_unbalanced(data) else ""
    size = f"whole images, shorter side at most {data.height}," if data.aspect_kept else f"{data.height}x{data.width}"
    shape = f"{size} {'grey' if data.channels == 1 else 'RGB'}"
    held = f"; {format_validation(data.finals)}" if data.finals.source in {"held back", "folds"} else ""
    return (
        f"{data.name}: {len(data.classes)} classes, {shape}, "
        f"{data.train:,} train, {data.val:,} val, {data.test:,} test ({data.split}){held}{leaked}{uneven}"
    )
