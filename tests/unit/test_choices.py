"""Help and docs name what the registries hold; where the docs do not, the failure gives the row to write."""

import re

import pytest

from searchspace.cli.invalid_values import SYNONYMS
from searchspace.export import main as export_main
from searchspace.reporting.html.report_sections import REPORT_SECTIONS
from searchspace.reporting.model_card.card_sections import CARD_SECTIONS
from searchspace.run import main as run_main
from searchspace.sampling.sampler_registry import SAMPLERS
from searchspace.spec import SearchSpec
from searchspace.stopping.rules import SCHEDULERS
from tests.helpers.repository import ROOT
from trainables.data.sources.source_registry import LAYOUTS, NAMED_SETS
from trainables.export.exported_files import EXPORT_FORMATS, FORMAT_FILES
from trainables.metrics.metric_registry import METRICS
from trainables.models.model_registry import MODELS

DOCS = "\n".join(path.read_text() for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))))
REGISTRIES = {
    "data": NAMED_SETS, "models": MODELS, "metric": METRICS, "sampler": SAMPLERS, "scheduler": SCHEDULERS,
}  # fmt: skip
"""Registry by the option that takes its names."""
MORE = {
    "data": f"; or the path or URL of {', '.join(source.summary for source in LAYOUTS.values())}",
    "models": "; or the name of timm's or torchvision's image classifiers",
    "sampler": "; `auto`: what suits the space",
}
"""What an option takes beside the names."""


def help_of(command, option):
    return command.__signature__.parameters[option].annotation.__metadata__[0]


@pytest.mark.parametrize("option", REGISTRIES)
def test_the_docs_list_what_a_registry_holds(option):
    entries = ", ".join(f"`{name}` ({entry.summary})" for name, entry in REGISTRIES[option].items())
    row = f"| `--{option}` | {entries}{MORE.get(option, '')} |"
    assert row in DOCS.splitlines(), f"docs, 'What there is to choose from': write the row\n{row}"


def test_the_docs_list_the_formats_and_their_files():
    page = (ROOT / "docs" / "export.md").read_text()
    rows = re.findall(r"^\| `([\w-]+)` \| `([\w.-]+)`.*\|$", page, re.MULTILINE)
    assert [row for row in rows if row[0] in FORMAT_FILES] == list(FORMAT_FILES.items()), (
        "docs/export.md, 'Formats': one row a format, in the order of FORMAT_FILES"
    )


@pytest.mark.parametrize("option", [*REGISTRIES, "formats"])
def test_the_help_of_an_option_lists_what_its_registry_holds(option):
    shown = help_of(run_main, option)
    names = set(re.findall(r"[\w-]+", f"{shown.help} {shown.metavar}"))
    assert names >= {*REGISTRIES.get(option, EXPORT_FORMATS)}, "name the registry's entries at the field of SearchSpec"


def test_the_help_of_an_export_lists_the_formats():
    assert ", ".join(EXPORT_FORMATS) in help_of(export_main, "formats").help


@pytest.mark.parametrize("option", ["metric", "sampler", "scheduler"])
def test_a_name_that_other_tools_have_leads_to_the_registrys(option):
    registry = REGISTRIES[option]
    aliases = {alias: name for name, entry in registry.items() for alias in entry.aliases}
    assert aliases.items() <= SYNONYMS.items(), "an alias that two registries have"
    assert SearchSpec.model_fields[option].default in {"auto", *registry}


def test_the_docs_explain_every_section_of_report_and_card():
    page = (ROOT / "docs" / "report.md").read_text()
    titles = [section.title for section in (*REPORT_SECTIONS, *CARD_SECTIONS["winner"], *CARD_SECTIONS["student"])]
    assert [title for title in titles if title and f"| {title} |" not in page] == [], "docs/report.md: one row each"
