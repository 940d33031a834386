"""Log records of this project's loggers on the terminal of a command: INFO as it is, higher levels with their name.

Modules log by `logging.getLogger(__name__)`, a child of one of `LOGGERS`.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOGGERS = ("searchspace", "trainables")
"""Names of the project's loggers, one a package."""
Show = Callable[[int, str], None]
"""Shows a level of `logging` and the message of a record."""


class ConsoleHandler(logging.Handler):
    """Passes records to a function."""

    def __init__(self, show: Show) -> None:
        """Pass each record of level INFO or above to `show`."""
        super().__init__(logging.INFO)
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on one record; an error of `show` is printed by `logging` and not raised."""
        try:
            self._show(record.levelno, record.getMessage())
        except Exception:  # a terminal that is gone does not end the work that logs
            self.handleError(record)


@contextmanager
def logs_shown_by(show: Show) -> Iterator[None]:
    """Pass the project's log records to `show`, and to no other console handler, until the block ends."""
    handler = ConsoleHandler(show)
    before = {name: _replace_handlers(logging.getLogger(name), [handler]) for name in LOGGERS}
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.INFO)
    try:
        yield
    finally:
        for name in LOGGERS:
            _replace_handlers(logging.getLogger(name), before[name])
            logging.getLogger(name).setLevel(levels[name])


def format_line(level: int, message: str) -> str:
    """A record as the console shows it: `warning: ...`, or the message alone at level INFO."""
    return message if level <= logging.INFO else f"{logging.getLevelName(level).lower()}: {message}"


def _replace_handlers(logger: logging.Logger, new: list[logging.Handler]) -> list[logging.Handler]:
    """Give `logger` these console handlers in place of those that it has, which are returned."""
    old: list[logging.Handler] = [handler for handler in logger.handlers if isinstance(handler, ConsoleHandler)]
    for replaced in old:
        logger.removeHandler(replaced)
    for handler in new:
        logger.addHandler(handler)
    return old
