"""A board that is drawn again while its search runs."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from searchspace.preparation.resume import is_done
from searchspace.reporting.tables.terminal_table import make_console
from searchspace.spec import load_spec
from searchspace.study.study_snapshot import StudySnapshot, open_study
from trainables.common.errors import UserError

if TYPE_CHECKING:
    from rich.console import RenderableType

PERIOD = 2.0
"""Seconds between two looks at the study."""
Draw = Callable[[StudySnapshot, int], "RenderableType"]
"""From a study and the terminal's width to what is shown."""


def watch(folder: Path, draw: Draw, refresh: Callable[[], None]) -> None:
    """Draw the board of the search in `folder` until it is finished or Ctrl-C; raises `UserError` in a pipe.

    `refresh` brings a copy in `folder` up to date, if it is one; it may raise OSError.
    """
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    console = make_console()
    if not console.is_terminal:
        raise UserError("--watch: redraws a terminal, and this output is none; leave it out here")
    spec = load_spec(folder)
    reader, started = open_study(spec, folder), time.monotonic()
    changed, seen = started, 0
    try:
        with Live(console=console, auto_refresh=False, vertical_overflow="ellipsis") as live:
            while True:
                with suppress(OSError):  # what cannot be reached now is looked for again
                    refresh()
                study = reader.read()
                steps = _steps(study)
                changed, seen = (changed, seen) if steps == seen else (time.monotonic(), steps)
                ended = is_done(study, load_spec(folder).trials)
                quiet = time.monotonic() - changed
                word = "finished" if ended else f"last epoch {quiet:.0f} s ago; Ctrl-C stops watching, not the search"
                live.update(Group(draw(study, console.width), Text(word, style="dim")), refresh=True)
                if ended:
                    return
                time.sleep(PERIOD)
    except KeyboardInterrupt:
        return


def _steps(study: StudySnapshot) -> int:
    """Grows with whatever the study hears."""
    return sum(len(t.user_attrs) for t in study.get_trials(deepcopy=False)) + len(study.user_attrs)
