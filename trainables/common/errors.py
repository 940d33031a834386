"""Errors that a user or a worker can act on. A user's error names thing, value and what is allowed, in one line."""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from trainables.common.escaping import printable, shown


class UserError(Exception):
    """Something given by the user is wrong; commands print it as one line and exit with code 2."""


class DamagedError(UserError):
    """A file of a results folder is not what belongs there; its text is "damaged: FILE: what", one printable line."""

    def __init__(self, path: Path, what: str) -> None:
        """Of the file or folder at `path`, and what is wrong with it."""
        super().__init__(f"damaged: {shown(path)}: {printable(what)}")
        self.path, self.what = path, what

    def __reduce__(self) -> tuple[type["DamagedError"], tuple[Path, str]]:
        """Ray brings errors from workers."""
        return type(self), (self.path, self.what)


class NotShippedError(UserError):
    """No file of the formats that were asked for passed its parity check; commands exit with code 1."""


class SearchEndedError(Exception):
    """A search cannot go on for now; what it has so far is recorded, and it can be resumed."""


class NoWinnerError(RuntimeError):
    """No trial, or no finalist, was trained to its end, so there is no winner."""


class NoSlotLeftError(SearchEndedError):
    """No slot of a search can train any more."""


class LostPeerError(RuntimeError):
    """Another worker of the gang, or the network between the workers, is gone."""


class PoisonedDeviceError(RuntimeError):
    """A device, or the context of this process on it, is of no further use; the process has to end."""


class OutOfMemoryError(RuntimeError):
    """A step did not fit, however small its micro-batch, or (with several workers) at this micro-batch."""

    def __init__(self, micro_batch: int) -> None:
        """Remember the micro-batch to try next; below 1 there is none."""
        super().__init__(f"out of memory; next micro-batch {micro_batch}")
        self.micro_batch = micro_batch


def suggest(word: str, known: Iterable[str]) -> str:
    """For the end of an error: `; did you mean 'cifar10'?` if `word` looks like one of the `known`, else nothing."""
    folded = {name.casefold(): name for name in known}
    close = get_close_matches(word.casefold(), folded, n=1)
    return f"; did you mean {folded[close[0]]!r}?" if close else ""
