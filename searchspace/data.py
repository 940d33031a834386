"""Say what is understood of a data set, before anything is decoded: `searchspace data PATH`."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from searchspace.cli.command import run_command
from searchspace.cli.console_log import format_line
from searchspace.cli.data_request import DataRequest
from searchspace.cli.options import with_options
from searchspace.cli.output import print_lines
from searchspace.preparation.data_plan import format_plan, plan_data
from searchspace.spec import parse_record
from searchspace.storage.output_folder import explain_write_errors
from trainables.common.errors import UserError
from trainables.data.overview import examine, format_overview
from trainables.data.sources.source_registry import open_source
from trainables.storage.files import write_file

PAGE = "data.html"
"""Name of the page in a folder that `--html` names."""


@with_options(DataRequest, without=("data",))
def main(
    given: frozenset[str],  # noqa: ARG001
    path: Annotated[str, typer.Argument(metavar="PATH", help="What --data of a search takes: a path, URL or name.")],
    html: Annotated[
        str, typer.Option(metavar="FILE", help="Write a page with images of each class, and all lists.")
    ] = "",
    **options: Any,
) -> None:
    """Say what is understood of a data set: splits, classes, images, what is left out, and what a search would do.

    Nothing is decoded but some images for the page, and nothing is kept. The exit code is 2 where a search with these
    options could not begin.

    Example: searchspace data path/to/images --html data.html
    """
    request = with_own_source(parse_record(DataRequest, options | {"data": path}))
    target = find_page_file(html, request.data) if html else None
    raw = open_source(request.data, request.data_options)
    overview = examine(raw)
    plan = plan_data(raw, request.data_options)
    for level, line in (*format_overview(overview, listed=False), *format_plan(plan, overview)):
        print_lines(format_line(level, line))
    if target:
        from searchspace.reporting.data_page.data_page import render_data_page

        with explain_write_errors(target, html, "--html"):
            write_file(target, render_data_page(raw, overview, plan).encode())
        print_lines(f"page: {os.path.relpath(target)}")
    if plan.obstacle:
        raise plan.obstacle


def with_own_source(request: DataRequest) -> DataRequest:
    """`request` with the name of the source that `--data-source` references, once its code is loaded."""
    if not request.data_source:
        return request
    from trainables.custom.collect import collect
    from trainables.custom.register import register

    code = collect([("source", request.data_source)])
    register(code)
    return request.model_copy(update={"data_source": code.parts[0].name})


def find_page_file(html: str, data: str) -> Path:
    """The file that `--html` means: itself, or `data.html` in that folder.

    Raises `UserError` within the data set's folder, whose content is not to be changed.
    """
    target = Path(os.path.realpath(os.path.expanduser(html)))
    target = target / PAGE if target.is_dir() else target
    folder = Path(os.path.realpath(os.path.expanduser(data)))
    if folder.is_dir() and folder in target.parents:
        raise UserError(f"--html {html!r}: lies in the data folder {str(folder)!r}; give another place")
    return target


if __name__ == "__main__":
    run_command(main)
