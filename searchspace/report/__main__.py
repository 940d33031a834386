"""Draw the report of a search: `python -m searchspace.report results/NAME`."""

import os
from typing import Annotated

import typer

from searchspace.command import run_command
from searchspace.home.reading import read
from searchspace.report.page import write_report
from trainables.home.storage import join


def main(folder: Annotated[str, typer.Argument(help="The search's folder or URL, such as results/digits.")]) -> None:
    """Write report.html of a search, finished or not: one file that opens in any browser, without a network.

    Example: python -m searchspace.report results/digits
    """
    mirror = read(folder)
    page = write_report(mirror.folder)
    mirror.push()
    place = join(mirror.home.url, page.name) if mirror.home.url else os.path.relpath(page)
    print(f"{place}: {page.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    run_command(main)
