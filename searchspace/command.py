"""What every command shares: user errors are one line on standard error, and exit code 2."""

import sys
from collections.abc import Callable
from typing import Any

import typer

from trainables.errors import UserError


def run_command(function: Callable[..., Any]) -> None:
    """Run `function` as a command line of its own."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
    app.command()(function)
    try:
        app()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
