"""Draw the report of a search: `searchspace report results/NAME`."""

import os
from typing import Annotated

import typer

from searchspace.cli.command import run_command
from searchspace.cli.output import print_lines
from searchspace.reporting.html import REPORT
from searchspace.reporting.html.report_file import write_report
from searchspace.storage.open_results import open_results
from searchspace.storage.output_folder import check_own_folder, explain_write_errors, report_file
from searchspace.study.database import allow_storage
from trainables.storage.object_store.remote import join_url


def main(
    folder: Annotated[str, typer.Argument(help="The search's folder or URL, such as results/digits.")],
    output: Annotated[
        str,
        typer.Option(metavar="PATH", help="File or folder to write it to. Default: in the search's folder."),
    ] = "",
    storage: Annotated[
        str,
        typer.Option(metavar="URL", help="Open the database that the search's record names, which must be this URL."),
    ] = "",
) -> None:
    """Write report.html of a search, finished or not: one file that opens in any browser, without a network.

    Of a folder that is not yours alone, it is written only where --output says.

    Example: searchspace report results/digits
    """
    allow_storage(storage)
    sync = open_results(folder)
    if not output:
        check_own_folder(sync, folder)
    with explain_write_errors(sync.folder, output):
        target = report_file(sync.folder, output, REPORT) if output else None
        page = write_report(sync.folder, target=target)
    place = os.path.relpath(page)
    if target is None and sync.storage.url:
        sync.push()
        place = join_url(sync.storage.url, page.name)
    print_lines(f"{place}: {page.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    run_command(main)
