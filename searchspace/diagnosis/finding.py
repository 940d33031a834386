"""What a diagnosis found: a fact, whether it is as a search needs it, and what to do where it is not."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from searchspace.reporting.tables.table import Row
from trainables.common.escaping import printable
from trainables.common.redaction import redact

if TYPE_CHECKING:
    from rich.console import RenderableType


class State(StrEnum):
    """Whether a fact is as a search needs it."""

    FINE = "fine"
    """It is, or it does not matter."""
    WARNING = "warning"
    """A search works, but worse or not always."""
    BROKEN = "broken"
    """No search works."""


STYLES = {State.FINE: "green", State.WARNING: "yellow", State.BROKEN: "bold red"}
"""How a state looks on a terminal."""


@dataclass(frozen=True)
class Finding:
    """One fact."""

    section: str
    """Heading that it is listed under."""
    name: str
    """What it is about."""
    value: str
    """What is so."""
    state: State = State.FINE
    """Whether that is as a search needs it."""
    remedy: str = ""
    """What to do; empty where nothing has to be done."""


def to_rows(findings: Iterable[Finding]) -> list[Row]:
    """The findings for programs, without secrets."""
    return [{name: redact(text) for name, text in asdict(finding).items()} for finding in findings]


def findings_of(section: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """The findings of a check; an error that it raises, such as a library's that cannot be loaded, is one as well."""
    try:
        yield from check()
    except Exception as error:
        said = " ".join(str(error).split())[:500]
        yield Finding(section, "error", f"{type(error).__name__}: {said}", State.BROKEN, "mend what the error names")


def draw_findings(findings: Iterable[Finding]) -> "RenderableType":
    """The findings as tables, a section each."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    tables: dict[str, Table] = {}
    parts: list[RenderableType] = []
    for finding in findings:
        if finding.section not in tables:
            table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
            table.add_column(min_width=17, no_wrap=True)
            table.add_column(min_width=7, no_wrap=True)
            table.add_column(overflow="fold")
            tables[finding.section] = table
            parts += [Text(finding.section, style="bold"), table, Text()]
        said = Text(printable(redact(finding.value)))
        if finding.remedy:
            said.append(f"\n{printable(redact(finding.remedy))}", style="italic")
        state = Text(finding.state, style=STYLES[finding.state])
        tables[finding.section].add_row(Text(printable(f"  {finding.name}")), state, said)
    return Group(*parts)
