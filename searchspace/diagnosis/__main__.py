"""Say what this machine and installation have, and what a search would lack: `searchspace doctor`."""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import typer

from searchspace.cli.command import run_command
from searchspace.cli.options import Option, with_options
from searchspace.cli.output import print_document
from searchspace.diagnosis import backbone_weights, hardware, places, software
from searchspace.diagnosis.finding import Finding, State, draw_findings, findings_of, to_rows
from searchspace.reporting.tables.terminal_table import make_console
from searchspace.spec import parse_record
from trainables.config import Frozen

HOW = "How"
CHECKS = {
    software.SECTION: software.find_software, hardware.SECTION: hardware.find_hardware,
    places.SECTION: places.find_places, backbone_weights.SECTION: backbone_weights.find_weights,
}  # fmt: skip
"""Everything that is looked at, by section."""


class DoctorOptions(Frozen):
    """How a diagnosis is made."""

    ray: Annotated[bool, Option(HOW)] = False
    """Start a Ray, too, which takes some seconds."""
    form: Annotated[Literal["table", "json"], Option(HOW, "--format")] = "table"
    """How it is written."""


@with_options(DoctorOptions)
def main(_given: frozenset[str], **options: Any) -> None:
    """Say what this machine has: versions, devices, cores, memory, cache, weights.

    Warnings come with a remedy. The exit code is 1 where no search can work.

    Example: searchspace doctor --ray
    """
    asked = parse_record(DoctorOptions, options)
    findings: list[Finding] = []
    console = make_console()
    for found in diagnose(asked.ray):
        findings += found
        if asked.form == "table":
            console.print(draw_findings(found))
    if asked.form == "json":
        print_document(json.dumps(to_rows(findings), indent=1) + "\n")
    else:
        console.print(draw_findings([conclude(findings)]))
    if any(finding.state == State.BROKEN for finding in findings):
        raise typer.Exit(1)


def diagnose(with_ray: bool) -> Iterator[list[Finding]]:
    """All findings, by section, each as soon as it was looked at."""
    for section, check in CHECKS.items():
        yield list(findings_of(section, check))
    yield list(findings_of(software.RAY, software.start_ray if with_ray else software.skip_ray))


def conclude(findings: list[Finding]) -> Finding:
    """The whole in one line."""
    broken = [finding.name for finding in findings if finding.state == State.BROKEN]
    warned = [finding.name for finding in findings if finding.state == State.WARNING]
    if broken:
        return Finding("Conclusion", "searches", f"cannot work: {', '.join(broken)}", State.BROKEN)
    if warned:
        return Finding("Conclusion", "searches", f"work; look at {', '.join(warned)}", State.WARNING)
    return Finding("Conclusion", "searches", "work here")


if __name__ == "__main__":
    run_command(main)
