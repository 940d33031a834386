"""The events of a search as a whole: its start, its phases, its winner, and its end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from searchspace.api.process.search_events import (
    ErrorKind,
    PhaseEnded,
    PhaseStarted,
    SearchEnded,
    SearchStarted,
    WinnerFound,
)
from searchspace.budget.allowance import Phase
from searchspace.budget.phase_times import PHASES
from searchspace.cli.command_start import command_start
from searchspace.cli.interruption import Interrupted, LostError
from searchspace.finals.finalist import Finalist, NoWinnerError
from searchspace.progress.event_writer import host_events
from searchspace.spec import SearchSpec
from searchspace.storage.search_folder import SEARCH_LOG
from trainables.common.errors import SearchEndedError, UserError
from trainables.common.redaction import redact

if TYPE_CHECKING:
    from trainables.metrics.class_metrics import TestMetrics

ERROR_KINDS: dict[type[Exception], ErrorKind] = {
    UserError: "UserError", NoWinnerError: "NoWinnerError", SearchEndedError: "SearchEndedError",
    LostError: "LostError",
}  # fmt: skip
"""Errors that are no defects of the program."""


def started(spec: SearchSpec) -> SearchStarted:
    """The event of a search whose folder is there."""
    return SearchStarted(name=spec.name, folder=str(spec.folder), log=str(spec.folder / SEARCH_LOG))


def phase_changed(ended: Phase) -> tuple[PhaseEnded | PhaseStarted, ...]:
    """The events of a phase that is over: its end, and the start of the next, if there is one."""
    following = PHASES[PHASES.index(ended) + 1 :]
    return PhaseEnded(name=ended.value), *(PhaseStarted(name=phase.value) for phase in following[:1])


def winner_found(spec: SearchSpec, winner: Finalist, metrics: "TestMetrics") -> WinnerFound:
    """The event of a winner that was tested."""
    ends = {f"{name}_{end}": getattr(each, end) for name, each in metrics.scores.items() for end in ("low", "high")}
    return WinnerFound(
        trial=winner.members[0], members=winner.members, metric=spec.metric, score=winner.score,
        search_score=winner.search_score, test={name: each.score for name, each in metrics.scores.items()} | ends,
    )  # fmt: skip


@contextmanager
def end_told() -> Iterator[None]:
    """Tell the program that started this command how the block ends, where there is one."""
    writer = host_events()
    if writer is None:
        yield
        return
    ended = SearchEnded(status="interrupted", message="SIGINT")
    try:
        yield
        ended = SearchEnded(status="complete")
    except Interrupted as stop:
        ended = SearchEnded(status="interrupted", message=str(stop))
        raise
    except Exception as error:
        kind: ErrorKind = next((kind for known, kind in ERROR_KINDS.items() if isinstance(error, known)), "defect")
        ended = SearchEnded(status="failed", error=kind, message=redact(f"{error}"))
        raise
    finally:
        writer.send(ended.model_copy(update={"seconds": time.monotonic() - command_start()}))
        writer.flush()
