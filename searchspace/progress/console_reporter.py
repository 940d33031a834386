"""Reports the progress of a command in plain lines, each with the seconds since the start."""

import logging
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from searchspace.cli.command_start import command_start
from searchspace.cli.console_log import format_line, logs_shown_by
from searchspace.cli.output import surviving_streams
from searchspace.progress.output_redirect import OutputRedirect
from searchspace.progress.plain_lines import PlainLines
from searchspace.progress.progress_tracker import ProgressTracker, TrialListener
from trainables.common.errors import UserError
from trainables.common.escaping import printable

if TYPE_CHECKING:
    from searchspace.budget.allowance import Phase
    from searchspace.finals.finalist import Finalist
    from searchspace.spec import SearchSpec
    from trainables.metrics.class_metrics import TestMetrics

PROGRESS_INTERVAL_S = 20.0
"""Seconds between two lines on how far one work is."""
LOG_FAILURE = "the search's log cannot be written ({}); the search continues without it"


class ConsoleReporter:
    """A reporter for pipes, logs and batch jobs: it prints each line once and changes none."""

    def __init__(self, verbose: bool = False) -> None:
        """Count from the command's start; `verbose` shows what libraries have to say, too."""
        self._start = command_start()
        self._verbose = verbose
        self._redirect: OutputRedirect | None = None
        self._troubled = False
        self._logs = ExitStack()
        self._work, self._due = "", 0.0

    @property
    def restart_options(self) -> list[str]:
        """Command-line options that make another like this."""
        return ["--verbose"] if self._verbose else []

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def __enter__(self) -> Self:
        """Show what the project logs from here on."""
        self._logs.enter_context(logs_shown_by(self.show))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def show(self, level: int, message: str) -> None:
        """Print a message of a level of `logging` at once; names in it are not interpreted as markup."""
        print(self._stamped(format_line(level, message)), flush=True)
        self._warn_of_log()

    @property
    def descriptor(self) -> int:
        """File descriptor of what the user looks at."""
        return self._redirect.descriptor if self._redirect else 1

    def _warn_of_log(self) -> None:
        """Warn once of a log that cannot be written, as on a full disk."""
        trouble = next((stream.trouble for stream in surviving_streams() if stream.trouble), "")
        if trouble and not self._troubled:
            self._troubled = True
            self.show(logging.WARNING, LOG_FAILURE.format(trouble))

    def _stamped(self, line: str) -> str:
        return f"[{self.seconds:6.1f} s] {printable(line)}"

    def progress(self, what: str, done: int, total: int) -> None:
        """Print a line on long work from time to time; callers log its start and end."""
        if what != self._work:
            self._work, self._due = what, self.seconds + PROGRESS_INTERVAL_S
        elif total and done < total and self.seconds >= self._due:
            self._due = self.seconds + PROGRESS_INTERVAL_S
            self.show(logging.INFO, f"{what}: {done:,} of {total:,}")

    def show_progress_of(self, tracker: ProgressTracker) -> TrialListener:
        """Show the search of `tracker`; returns the listener that updates it and prints its events."""
        return PlainLines(tracker, self.show)

    def search_started(self, spec: "SearchSpec") -> None:
        """The search has its folder; people read it in what is logged."""

    def phase_ended(self, phase: "Phase") -> None:
        """A phase is over, and the next one begins, if there is one."""

    def winner_found(self, spec: "SearchSpec", winner: "Finalist", metrics: "TestMetrics") -> None:
        """The winner was tested."""

    def hide_search(self) -> None:
        """The search is over; its tracker is shown no more."""

    def redirect_output(self, log: Path) -> None:
        """Put what libraries print into `log` from here on, until `close`."""
        for stream in surviving_streams():
            stream.continue_in(log)
        if not self._verbose:
            try:
                self._redirect = OutputRedirect(log)
            except (OSError, UserError) as error:
                self.show(logging.WARNING, LOG_FAILURE.format(error))

    def close(self) -> None:
        """Leave the terminal as it was found, and show no more of what is logged."""
        self._logs.close()
        if self._redirect is not None:
            self._redirect.close()
            self._redirect = None
