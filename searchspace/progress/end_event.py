"""Tells the program that started a command how it ends."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from searchspace.cli.command_start import EVENTS_VARIABLE, command_start
from searchspace.cli.interruption import Interrupted, LostError
from trainables.common.errors import NoWinnerError, SearchEndedError, UserError
from trainables.common.redaction import redact

if TYPE_CHECKING:
    from searchspace.api.process.search_events import ErrorKind, SearchEnded

ERROR_KINDS: "dict[type[Exception], ErrorKind]" = {
    UserError: "UserError", NoWinnerError: "NoWinnerError", SearchEndedError: "SearchEndedError",
    LostError: "LostError",
}  # fmt: skip
"""Errors that are no defects of the program."""


@contextmanager
def end_told() -> Iterator[None]:
    """Tell the program that hears this command's events how the block ends; nothing where there is none."""
    if not os.environ.get(EVENTS_VARIABLE):
        yield
        return
    try:
        yield
    except BaseException as error:
        _tell(_describe(error))
        raise
    from searchspace.api.process.search_events import SearchEnded

    _tell(SearchEnded(status="complete"))


def _describe(error: BaseException) -> "SearchEnded":
    from searchspace.api.process.search_events import SearchEnded

    if isinstance(error, Interrupted | KeyboardInterrupt):
        return SearchEnded(status="interrupted", message=str(error) or "SIGINT")
    kind = next((kind for known, kind in ERROR_KINDS.items() if isinstance(error, known)), "defect")
    return SearchEnded(status="failed", error=kind, message=redact(f"{error}"))


def _tell(ended: "SearchEnded") -> None:
    from searchspace.progress.event_writer import host_events

    if writer := host_events():
        writer.send(ended.model_copy(update={"seconds": time.monotonic() - command_start()}))
        writer.flush()
