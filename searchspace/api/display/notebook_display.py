"""A search in a notebook: a table that is updated in place, and a short summary at the end."""

import sys
import time
from importlib import import_module
from types import TracebackType
from typing import Any, Self

from searchspace.api.display.display_state import DisplayState
from searchspace.api.display.notebook_table import notebook_table, summary_line
from searchspace.api.process.search_events import SearchEvent

DRAW_INTERVAL_S = 0.5
"""Least seconds between two drawings."""


class NotebookDisplay:
    """One output of a cell, which is replaced when there is news."""

    shows_messages = True

    def __init__(self) -> None:
        """Begin with nothing."""
        self._state = DisplayState()
        self._handle: Any = None
        self._drawn_at = 0.0

    def __enter__(self) -> Self:
        """Show the table."""
        display = import_module("IPython.display").display  # which has no types
        self._handle = display(_Drawing(self._state), display_id=True)
        self._drawn_at = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._draw()

    def show(self, event: SearchEvent) -> None:
        """Take in an event."""
        self._state.update(event)

    def refresh(self) -> None:
        """Draw again, if the last drawing is long enough ago."""
        if time.monotonic() >= self._drawn_at + DRAW_INTERVAL_S:
            self._draw()

    def _draw(self) -> None:
        self._drawn_at = time.monotonic()
        if self._handle is not None:  # as it is in a program that is no notebook
            self._handle.update(_Drawing(self._state))


class _Drawing:
    """The state as IPython shows it: HTML, or a line where there can be none."""

    def __init__(self, state: DisplayState) -> None:
        self._state = state

    def _repr_html_(self) -> str:
        return notebook_table(self._state)

    def __repr__(self) -> str:
        return summary_line(self._state)


def is_notebook() -> bool:
    """Whether this program is the kernel of a notebook."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module else None
    return hasattr(shell, "kernel")
