"""Draw the report of a search: `python -m searchspace.report results/NAME`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from searchspace.command import run_command
from searchspace.report.page import write_report


def main(folder: Annotated[Path, typer.Argument(help="The search's folder, such as results/digits.")]) -> None:
    """Write report.html of a search, finished or not: one file that opens in any browser, without a network.

    Example: python -m searchspace.report results/digits
    """
    page = write_report(folder)
    print(f"{os.path.relpath(page)}: {page.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    run_command(main)
