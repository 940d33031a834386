"""What `searchspace.search` raises beside `UserError`: interruptions, and defects of the search's process."""

import signal
from pathlib import Path
from typing import TYPE_CHECKING

from trainables.common.errors import SearchEndedError, UserError

if TYPE_CHECKING:
    from searchspace.api.process.search_process import SearchProcess
    from searchspace.api.process.search_request import SearchRequest


class StopSearch(Exception):  # noqa: N818  # no error: a callback wants it
    """Raise it in a callback to end the search calmly.

    Every trial finishes its epoch and is saved; `searchspace.search` then returns the result so far, which has no
    winner unless the winner was exported before. `Result.resume` continues the search.
    """


class SearchInterrupted(KeyboardInterrupt):
    """The search was interrupted, by Ctrl-C or a notebook's interrupt button; what it has so far is recorded."""

    def __init__(self, name: str, folder: str | Path, how: str) -> None:
        """Of the search `name` in `folder`, and how it goes on."""
        super().__init__(f"search {name!r} was interrupted; {how}")
        self.name, self.folder = name, Path(folder)


class SearchFailedError(RuntimeError):
    """The search's process ended by a defect of the program, or was killed; the message quotes its last lines."""

    def __init__(self, what: str, log: Path | None, last_lines: str) -> None:
        """Say what happened, and quote the end of its output."""
        where = f" (log: {log})" if log is not None else ""
        super().__init__(f"{what}{where}" + (f":\n{last_lines}" if last_lines else ""))
        self.log = log
        """File with what its libraries printed; None where it had none yet."""


def make_error(process: "SearchProcess", request: "SearchRequest") -> Exception:
    """Why the search has no result."""
    from searchspace.api.process.search_events import SearchEnded
    from searchspace.api.process.search_request import how_to_resume, in_python_words
    from searchspace.cli.interruption import LostError
    from trainables.common.errors import NoWinnerError

    ended, code = process.ended or SearchEnded(status="failed", error="defect"), process.exit_code or 0
    if ended.error == "UserError":
        return in_python_words(UserError(ended.message))
    known: dict[str, type[Exception]] = {
        "NoWinnerError": NoWinnerError, "SearchEndedError": SearchEndedError, "LostError": LostError,
    }  # fmt: skip
    if ended.error in known:
        return known[ended.error](ended.message)
    if ended.status == "interrupted":
        return SearchEndedError(f"search {request.name!r} was ended by {ended.message}; {how_to_resume(request)}")
    log = Path(process.started.log) if process.started else None
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    what = f"the process of search {request.name!r} {how}; {how_to_resume(request)}"
    return SearchFailedError(what, log, process.last_lines)
