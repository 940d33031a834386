"""Being told to stop: the first signal ends the search with its epochs, the second at once."""

import os
import signal
from collections.abc import Callable
from types import FrameType, TracebackType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):  # noqa: N818  # no error: somebody wanted it
    """Somebody wants the command to end; what was begun can go on later."""

    def __init__(self, number: int) -> None:
        """Because of signal `number`."""
        super().__init__(signal.Signals(number).name)
        self.code = 128 + number


class LostError(Exception):
    """A part that everything hangs on is gone; starting it anew goes on from what is recorded."""


class Interruption:
    """Hears signals while it is entered."""

    def __init__(self, say: Callable[[str], None], how_to_go_on: Callable[[], str]) -> None:
        """Answer the first signal by `say`, and tell at the second one `how_to_go_on`."""
        self._say, self._how = say, how_to_go_on
        self._number = 0
        self._before: dict[int, object] = {}

    def __enter__(self) -> "Interruption":
        self._before = {number: signal.signal(number, self._hear) for number in SIGNALS}
        return self

    def listen_again(self) -> None:
        """Hear signals again after something took them, as Ray's start does with SIGTERM; raise if one has come."""
        for number in SIGNALS:
            signal.signal(number, self._hear)
        self.check()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what `signal` itself gave

    def is_asked(self) -> bool:
        """Whether a signal has come."""
        return self._number != 0

    def check(self) -> None:
        """Raise `Interrupted` if a signal has come."""
        if self._number:
            raise Interrupted(self._number)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        if self._number:
            self._say(f"stopped at once; {self._how()}")
            os._exit(128 + number)  # whatever hangs, hangs; Ray's processes end with this one
        self._number = number
        self._say(f"{signal.Signals(number).name}: every trial finishes its epoch and is saved; again to stop at once")
