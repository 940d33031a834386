"""Standard output and error that may be lost: a pipe's reader, a terminal, or space on a disk.

A command that only shows something then ends quietly. A search continues, and writes its further output to its log.
"""

import errno
import io
import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from searchspace.cli.surviving_stream import SurvivingStream
from trainables.common.errors import UserError
from trainables.common.escaping import printable

CLOSED_STREAM_ERRORS = {errno.EPIPE, errno.EIO, errno.EBADF, errno.ENXIO, errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Errors of standard output and error themselves."""
WORDS = {"stdout": "output", "stderr": "error"}
STREAMS = tuple(WORDS)
"""Of `sys`, that a command writes to."""


class _StandardFile(io.FileIO):
    """Descriptor of standard output or error, whose errors name it: others may write to a full disk, too."""

    def __init__(self, descriptor: int, title: str) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._title = title

    def write(self, content: Any) -> int:
        try:
            return super().write(content)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._title) from error


def make_streams_survive(closed: Collection[str]) -> None:
    """Let this process outlive its standard output and error, of which those in `closed` are gone already."""
    for name in STREAMS:
        stream = getattr(sys, name)
        if not isinstance(stream, SurvivingStream):
            surviving = SurvivingStream(stream, f"standard {WORDS[name]}")
            setattr(sys, name, surviving)
            if name in closed:
                surviving.mark_lost("it was closed")


def surviving_streams() -> list[SurvivingStream]:
    """Standard output and error, as far as `survive` has made them last."""
    return [stream for name in STREAMS if isinstance(stream := getattr(sys, name), SurvivingStream)]


def fill_descriptors() -> list[str]:
    """Open descriptors 0 to 2 where they are closed: the next file that is opened would get what is printed.

    Returns which of `STREAMS` were closed.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) < 3:  # standard input, output, error
        os.set_inheritable(opened, True)
    os.close(opened)
    closed = [name for name in STREAMS if getattr(sys, name) is None]
    for name in closed:
        number = 1 if name == "stdout" else 2
        stream = os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
        setattr(sys, name, stream)
    return closed


@contextmanager
def end_quietly() -> Iterator[None]:
    """End a command quietly, with code 0, when the reader closes its output; raises `UserError` if the disk is full."""
    with _named_streams(), _quiet_end():
        yield


@contextmanager
def _named_streams() -> Iterator[None]:
    """Let errors of standard output and error name them, until the block ends."""
    before = {name: getattr(sys, name) for name in STREAMS}
    for name, stream in before.items():
        setattr(sys, name, _with_name(stream, f"standard {WORDS[name]}"))
    try:
        yield
    finally:
        for name, stream in before.items():
            with suppress(OSError, ValueError):
                getattr(sys, name).flush()
            setattr(sys, name, stream)


def _with_name(stream: Any, title: str) -> Any:
    """A stream to the same descriptor whose errors name it; `stream` itself where it has none, or survives them."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    try:
        stream.flush()
        file = _StandardFile(stream.fileno(), title)
    except (OSError, ValueError):
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(file), stream.encoding, stream.errors,
        line_buffering=stream.line_buffering, write_through=stream.write_through,
    )  # fmt: skip


@contextmanager
def _quiet_end() -> Iterator[None]:
    try:
        yield
        sys.stdout.flush()
    except SystemExit as end:
        if _is_of_pipe(end):  # what Rich and Typer make of it
            _let_go()
            sys.exit(0)
        _flush_quietly()
        raise
    except OSError as error:
        if surviving_streams() or error.errno not in CLOSED_STREAM_ERRORS or not _is_of_stream(error):
            raise
        _let_go()
        if error.errno == errno.EPIPE:
            sys.exit(0)
        raise UserError(f"{error.filename or 'standard output'}: {os.strerror(error.errno or 0)}") from error


def print_lines(*lines: str, error: bool = False) -> None:
    """Print lines for people, on standard output or error; each is one line without terminal codes."""
    print("\n".join(map(printable, lines)), file=sys.stderr if error else sys.stdout, flush=True)


def print_document(document: str) -> None:
    """Print what is escaped for its own format, as it is."""
    sys.stdout.write(document)
    sys.stdout.flush()


def print_errors(*lines: str) -> None:
    """Print lines on standard error, if there is any."""
    with suppress(OSError, ValueError, AttributeError):
        print_lines(*lines, error=True)


def _is_of_stream(error: OSError) -> bool:
    """Whether it came of standard output or error: these name themselves, or a reader is gone, which no file has."""
    return error.filename in {f"standard {word}" for word in WORDS.values()} or (
        error.filename is None and error.errno == errno.EPIPE
    )


def _is_of_pipe(end: BaseException | None) -> bool:
    while end is not None:
        if isinstance(end, BrokenPipeError):
            return True
        end = end.__context__
    return False


def _flush_quietly() -> None:
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        _let_go()


def _let_go() -> None:
    """Let standard output lead nowhere, so that Python's own end does not fail on what is left in it."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
