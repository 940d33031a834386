"""A board that is drawn again while its search runs."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from searchspace.preparation.resume import is_exported
from searchspace.reporting.results import SearchResults
from searchspace.reporting.tables.terminal_table import make_console
from searchspace.spec import load_spec
from searchspace.study.study_snapshot import StudySnapshot, open_study
from trainables.common.errors import UserError

if TYPE_CHECKING:
    from rich.console import RenderableType

REDRAW_INTERVAL_S = 2.0
"""Seconds between two looks at the study."""
Draw = Callable[[SearchResults, int], "RenderableType"]
"""Draws results for a terminal of so many characters."""


def watch_search(results: SearchResults, draw: Draw, refresh: Callable[[], None]) -> None:
    """Draw the board of a search until it is finished or Ctrl-C; raises `UserError` in a pipe.

    `refresh` brings the search's folder up to date where it is a copy; it may raise OSError.
    """
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    console = make_console()
    if not console.is_terminal:
        raise UserError("--watch: redraws a terminal, and this output is none; leave it out here")
    folder = results.folder
    reader, started = open_study(results.spec, folder), time.monotonic()
    changed, seen = started, 0
    try:
        with Live(console=console, auto_refresh=False, vertical_overflow="ellipsis") as live:
            while True:
                with suppress(OSError):  # what cannot be reached now is looked for again
                    refresh()
                study = reader.read()
                steps = _steps(study)
                changed, seen = (changed, seen) if steps == seen else (time.monotonic(), steps)
                ended = is_exported(study, load_spec(folder))
                quiet = time.monotonic() - changed
                word = "finished" if ended else f"last epoch {quiet:.0f} s ago; Ctrl-C stops watching, not the search"
                board = draw(replace(results, study=study), console.width)
                live.update(Group(board, Text(word, style="dim")), refresh=True)
                if ended:
                    return
                time.sleep(REDRAW_INTERVAL_S)
    except KeyboardInterrupt:
        return


def _steps(study: StudySnapshot) -> int:
    """A number that grows with each change of the study."""
    return sum(len(t.user_attrs) for t in study.get_trials(deepcopy=False)) + len(study.user_attrs)
