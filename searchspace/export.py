"""Export a finished search's winner, and its student: `searchspace export results/NAME`."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import Field

from searchspace.budget.allowance import Allowance, Phase, unlimited
from searchspace.cli.options import Option, with_options
from searchspace.cli.output import print_lines
from searchspace.cli.values import Formats, Place
from searchspace.constraints.constraints import describe_cost, find_violations
from searchspace.engine.assignments import derive_seed
from searchspace.finals.choose_student import StudentStatus, read_student
from searchspace.own_code.resumed_code import register_kept_code
from searchspace.progress.end_event import end_told
from searchspace.progress.live_screen import open_reporter
from searchspace.reporting.tables.exported_files_table import exported_file_rows, format_conditions, format_dropped
from searchspace.reporting.tables.terminal_table import print_table
from searchspace.spec import LIMITS, RECORD, WHAT, SearchSpec, load_spec, parse_record
from searchspace.storage.open_results import is_export_file, open_results
from searchspace.storage.output_folder import check_own_folder, copy_search, explain_write_errors
from searchspace.storage.search_folder import STUDENT, WINNER
from trainables.common.errors import NotShippedError, UserError
from trainables.common.reporter import Reporter
from trainables.config import Frozen
from trainables.export.exported_files import EXPORT_FORMATS, ExportRecord
from trainables.export.model_info import MODEL_INFO
from trainables.storage.files import is_file

logger = logging.getLogger(__name__)

FIRST = ("format", "recommended", "MB", "accuracy", "agreement", "latency_ms", "images/s_by_32")
"""Columns that a narrow terminal shows before the rest."""


class ExportOptions(Frozen):
    """Options of an export after the search."""

    formats: Annotated[Formats, Option(LIMITS, kind=list[str], metavar="A,B", choices=EXPORT_FORMATS)] = ()
    """{choices}. Default: as the search was asked."""
    max_drop: Annotated[float | None, Option(LIMITS)] = Field(None, ge=0, le=100)
    """Points of test accuracy that a format may lose. Default: as the search was asked."""
    output: Annotated[str, Option(RECORD, metavar="FOLDER")] = ""
    """Export into a copy of the search there. Default: in the search's folder."""
    data: Annotated[Place | Literal[""], Option(WHAT, kind=str, metavar="NAME")] = ""
    """The search's data, where this machine has not prepared them; they must be the same."""


@with_options(ExportOptions)
@end_told()
def main(
    given: frozenset[str],
    folder: Annotated[str, typer.Argument(help="The search's folder or URL, such as results/digits.")],
    **options: Any,
) -> None:
    """Export a search's winner, and its student: raw images in, probabilities out, each format proven and measured.

    Of a folder that is not yours alone, it is written only where --output says.

    Example: searchspace export results/digits --formats onnx,onnx-int8
    """
    asked = parse_record(ExportOptions, options)
    sync = open_results(folder, is_export_file)
    if not asked.output:
        check_own_folder(sync, folder)
    register_kept_code(sync, folder)
    from searchspace.reporting.html.report_file import write_report_or_warn
    from searchspace.reporting.model_card.card_file import write_cards_or_warn

    with explain_write_errors(sync.folder, asked.output), open_reporter() as reporter:
        here = copy_search(sync.folder, asked.output) if asked.output else sync.folder
        spec = load_spec(here).model_copy(update=asked.model_dump(include={"formats", "max_drop"} & given))
        sources = ExportSources(data=asked.data, strict=True)
        winner = export_winner(spec, here, reporter, sources)
        student = export_student(spec, here, reporter, sources)
        write_cards_or_warn(here)
        write_report_or_warn(here)
    if not asked.output:
        sync.push()
    place = os.path.relpath(here) if asked.output else sync.storage.url or os.path.relpath(here)
    print_shipments(spec, place, winner, student)
    if "formats" in given:
        check_shipped(*(each for each in (winner, student) if each is not None))


def check_shipped(*shipments: ExportRecord) -> None:
    """Raise `NotShippedError`, with the reasons, where nothing that was asked for is shipped."""
    for shipment in shipments:
        if all(artefact.format == "pytorch" for artefact in shipment.artefacts):
            raise NotShippedError(f"--formats: none is shipped: {'; '.join(format_dropped(shipment))}")


@dataclass(frozen=True)
class ExportSources:
    """Where the images of an export are, and what it may take."""

    data: str = ""
    """Where they are, if this machine has not prepared them."""
    raw_data: str = ""
    """Where raw test files are read; empty: from `data`."""
    strict: bool = False
    """Whether a file that cannot be written raises its OSError; else its format counts as one that cannot be made."""
    allowance: Allowance = unlimited
    """What the search's budget leaves to it."""


def export_winner(
    spec: SearchSpec, folder: Path, reporter: Reporter, asked: ExportSources = ExportSources()
) -> ExportRecord:
    """Export the winner of the search in `folder`; raises `UserError` where there is none."""
    winner = folder / WINNER
    if not is_file(winner / MODEL_INFO):
        raise UserError(f"{str(folder)!r}: has no retrained winner (no winner/{MODEL_INFO})")
    return _ship(spec, winner, reporter, asked)


def export_student(
    spec: SearchSpec, folder: Path, reporter: Reporter, asked: ExportSources = ExportSources()
) -> ExportRecord | None:
    """Export the student of the search in `folder`, as the winner is; None where it has none."""
    student = read_student(folder)
    if student is None or student.status != StudentStatus.TRAINED:
        return None
    logger.info("exporting the student")
    return _ship(spec, folder / STUDENT, reporter, asked)


def _ship(spec: SearchSpec, folder: Path, reporter: Reporter, asked: ExportSources) -> ExportRecord:
    from trainables.export.exporter import ExportRequest, export_classifier

    request = ExportRequest(
        formats=spec.formats, max_drop=spec.max_drop, seed=derive_seed(spec.seed, "export"), data=asked.data,
        raw_data=asked.raw_data, strict=asked.strict, seconds=asked.allowance(Phase.EXPORT),
    )  # fmt: skip
    shipment = export_classifier(folder, request, reporter)
    for line in format_dropped(shipment):
        logger.warning(f"{folder.name}: {line}")
    return shipment


def print_shipments(spec: SearchSpec, place: str, winner: ExportRecord, student: ExportRecord | None) -> None:
    """What is shipped of a search, which is at `place`: the winner, and its student beside it."""
    print_shipment(spec.for_winner, f"{place}/winner", winner)
    if student is not None:
        print_lines()
        print_shipment(spec, f"{place}/{STUDENT}", student)


def print_shipment(spec: SearchSpec, place: str, shipment: ExportRecord) -> None:
    """The table of what is shipped at `place`, and a warning for each limit of `spec` that it breaks."""
    print_table(exported_file_rows(shipment), f"{spec.name}: shipped in {place}", FIRST)
    print_lines(format_conditions(shipment))
    if shipment.cost:
        print_lines(f"limits hold for the float32 ONNX file: {describe_cost(spec, shipment.cost)}")
        for broken in find_violations(spec, shipment.cost):
            logger.warning(f"the shipped model breaks a limit: {broken}")


if __name__ == "__main__":
    from searchspace.cli.command import run_command

    run_command(main, outlives_output=True)
