"""Runs a command: an error is one line on standard error; exit code 2 if the user can correct it, else 1.

Commands print no secrets, and only their owner may write the files that they create.
"""

import io
import sys
import traceback
from collections.abc import Callable
from copy import copy
from functools import partial
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperOption

from searchspace.cli.command_start import command_of_process
from searchspace.cli.commands import command_name
from searchspace.cli.console_log import format_line, logs_shown_by
from searchspace.cli.interruption import Interrupted, LostError
from searchspace.cli.options import COMMON, MORE, SHOW_ALL
from searchspace.cli.output import (
    end_quietly,
    fill_descriptors,
    make_streams_survive,
    print_errors,
    print_lines,
    surviving_streams,
)
from searchspace.cli.surviving_stream import SurvivingStream
from trainables.common.environment import spare_loopback
from trainables.common.errors import NotShippedError, NoWinnerError, SearchEndedError, UserError
from trainables.common.redaction import redact
from trainables.storage.ownership import restrict_to_owner
from trainables.storage.temporary import ensure_home

SHOWN = "searchspace.shown"
"""Key of a context's `meta` that is there while help is printed."""


class Command(TyperCommand):
    """A command whose `--help` shows no type for the option that is itself, and of many options the common ones."""

    def get_params(self, ctx: Any) -> Any:
        """The parameters; while help is shown, those that it shows."""
        common, params = getattr(self.callback, COMMON, ()), super().get_params(ctx)
        if not common or not ctx.meta.get(SHOWN) or ctx.meta.get(SHOW_ALL):
            return params
        shown = [copy(each) for each in params if each.name in common or isinstance(each, TyperArgument)]
        for each in shown:
            if isinstance(each, TyperOption) and (each.name == "help" or each.rich_help_panel != MORE):
                each.rich_help_panel = MORE if each.name == "help" else None
        return shown

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help."""
        ctx.meta[SHOWN] = True
        super().format_help(ctx, formatter)

    def get_help_option(self, ctx: Any) -> Any:
        """The option, without a placeholder for a value that it does not take."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.metavar = ""
        return option


def run_command(function: Callable[..., Any], outlives_output: bool = False) -> None:
    """Run `function` as a command line of its own; one that `outlives_output` continues without a reader.

    What it logs is printed amid the output of one that outlives it, and of any other on standard error.
    """
    closed = fill_descriptors()
    if outlives_output:
        make_streams_survive(closed)
    try:
        with command_of_process(), logs_shown_by(partial(_print_record, to_error=not outlives_output)):
            _run(function)
    finally:
        for surviving in surviving_streams():
            surviving.flush()


def _run(function: Callable[..., Any]) -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(
            stream, io.TextIOWrapper | SurvivingStream
        ):  # names in any script, on terminals that do not have it
            stream.reconfigure(errors="backslashreplace")
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
    app.command(cls=Command)(function)
    restrict_to_owner()
    ensure_home()
    spare_loopback()
    try:
        with end_quietly():
            code = app(standalone_mode=False, prog_name=command_name())
        sys.exit(code)  # None, or 130 after a Ctrl-C that no other code handled
    except typer.TyperException as error:  # the command line itself
        _fail(UserError(_say(error)), error.exit_code)
    except typer.Abort:
        sys.exit(130)
    except UserError as error:
        _fail(error, 1 if isinstance(error, NotShippedError) else 2)
    except (NoWinnerError, SearchEndedError, LostError) as error:
        _fail(error, 1)
    except Interrupted as stop:
        sys.exit(stop.code)
    except Exception:  # a defect; its traceback may quote a URL or a token
        print_errors(*redact(traceback.format_exc().rstrip("\n")).split("\n"))
        sys.exit(1)


def _print_record(level: int, message: str, to_error: bool) -> None:
    print_lines(format_line(level, message), error=to_error)


def _say(error: typer.TyperException) -> str:
    """An error of the command line in one line."""
    option, meant = getattr(error, "option_name", None), getattr(error, "possibilities", None)
    if option and meant:
        return f"{option}: no such option; did you mean {meant[0]!r}?"
    said = " ".join(error.format_message().split()).rstrip(".")
    return f"{said[:1].lower()}{said[1:]} (--help says more)"


def _fail(error: Exception, code: int) -> None:
    print_errors(redact(f"error: {error}"))
    sys.exit(code)
