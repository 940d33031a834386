"""Runs a search's process, passes its events on, and says how it ended."""

import logging
from collections.abc import Callable, Iterable

from searchspace.api.display.search_display import SearchDisplay
from searchspace.api.process.search_errors import SearchInterrupted, StopSearch, make_error
from searchspace.api.process.search_events import LogMessage, SearchEvent
from searchspace.api.process.search_process import SearchProcess
from searchspace.api.process.search_request import SearchRequest, how_to_resume

Callback = Callable[[SearchEvent], object]
"""Hears every event of a search, in the thread that called it."""
logger = logging.getLogger("searchspace.search")


class EventListeners:
    """Callbacks, display and logger of one search; one callback that raises is called no more."""

    def __init__(self, callbacks: Iterable[Callback], display: SearchDisplay) -> None:
        """Pass events to `callbacks` in their order, and to `display`."""
        self._callbacks, self._display = list(callbacks), display
        self.error: BaseException | None = None
        """The first that a callback raised, unless it was `StopSearch`."""
        self.should_stop = False
        """Whether a callback asks for the search's end, or has failed."""

    def hear(self, event: SearchEvent) -> None:
        """Pass an event on."""
        self._display.show(event)
        if isinstance(event, LogMessage) and (logger.hasHandlers() or not self._display.shows_messages):
            logger.log(event.level, event.message)
        for callback in list(self._callbacks):
            try:
                callback(event)
            except StopSearch:
                self.should_stop = True
            except Exception as error:  # raised once the search has saved what it has
                self.error, self.should_stop = self.error or error, True
                self._callbacks.remove(callback)


def run_search(request: SearchRequest, callbacks: Iterable[Callback], display: SearchDisplay) -> None:
    """Run a search to its end, or until it is interrupted or a callback stops it.

    Raises `SearchInterrupted` after a `KeyboardInterrupt`, an error of a callback, and the errors of the search:
    `UserError`, `NoWinnerError`, `SearchEndedError`, `LostError`, or `SearchFailedError` for a defect.
    """
    with display, SearchProcess(request) as process:
        listeners = EventListeners(callbacks, display)
        was_interrupted = _follow(process, listeners, display)
    if listeners.error is not None:
        listeners.error.add_note(f"this callback's error stopped search {request.name!r}; {how_to_resume(request)}")
        raise listeners.error
    if was_interrupted:
        raise SearchInterrupted(request.name, request.folder, how_to_resume(request))
    is_wanted = listeners.should_stop and process.ended is not None and process.ended.status == "interrupted"
    if process.exit_code != 0 and not is_wanted:
        raise make_error(process, request)


def _follow(process: SearchProcess, listeners: EventListeners, display: SearchDisplay) -> bool:
    """Pass events on until the process has ended; returns whether the user interrupted it."""
    was_interrupted = was_stopped = False
    while not process.is_over:
        try:
            if event := process.next_event():
                listeners.hear(event)
            display.refresh()
            if listeners.should_stop and not was_stopped:
                was_stopped = True
                process.interrupt()
        except KeyboardInterrupt:
            was_interrupted = True
            process.interrupt()
    return was_interrupted
