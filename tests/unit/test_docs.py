"""What the documents name exists: files, and the classes and functions that they are said to hold."""

import re

import pytest

from tests.helpers.documents.blocks import python_blocks
from tests.helpers.repository import ROOT

DOCUMENTS = [
    *("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"),
    *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))),
]
WORDS = {
    word
    for name in ("searchspace", "trainables", "tests")
    for path in (ROOT / name).rglob("*.py")
    for word in re.findall(r"\w+", path.read_text())
}
NAME = re.compile(r"`(_?[A-Z][a-z]\w*[A-Z]\w*(?:\.\w+)*|[a-z]+(?:_[a-z]+)+)`")
FILE = re.compile(r"(?:searchspace|trainables|tests|cluster|docs)(?:/\w+)+\.\w+")
FOREIGN = {"Tuner.fit", "TorchTrainer"}
"""Names of Ray."""
OWN_PARTS = ("tests/unit/test_custom_pages.py",)
RUN_BY = {
    "docs/api.md": ("tests/integration/searchspace/api/test_page.py",),
    "docs/custom-model.md": OWN_PARTS,
    "docs/custom-metric.md": OWN_PARTS,
    "docs/custom-augmentation.md": OWN_PARTS,
    "docs/custom-data-source.md": OWN_PARTS,
    "docs/custom-space.md": OWN_PARTS,
    "docs/export.md": ("tests/integration/searchspace/reporting/test_snippets.py",),
    "docs/extending.md": ("tests/helpers/extension_walk.py",),
    "docs/extending-search.md": ("tests/helpers/extension_walk.py",),
    "docs/quickstart.md": ("tests/integration/searchspace/test_quickstart.py",),
    "docs/serving.md": (
        "tests/integration/searchspace/serving/test_serve.py",
        "tests/integration/searchspace/reporting/test_snippets.py",
    ),
}
"""Tests, or their helpers, that run the blocks of Python in a document; each names the document."""
MAX_LINES = 250
LONG = {
    "docs/api.md": "rendered from the code",
    "docs/troubleshooting.md": "rendered from the code",
}
"""Documents of more lines, and why."""


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_that_a_document_names_exist(document):
    text = (ROOT / document).read_text()
    named = set(FILE.findall(text)) - set(re.findall(r"^# new file (.+)$", text, re.MULTILINE))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("document", [name for name in DOCUMENTS if name.startswith("docs/")])
def test_names_that_a_document_gives_exist(document):
    named = {name for name in NAME.findall((ROOT / document).read_text()) if name not in FOREIGN}
    assert [name for name in sorted(named) if not WORDS.issuperset(name.split("."))] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_python_in_a_document_is_run_or_is_a_fragment_with_a_reason(document):
    run = [block.code for block in python_blocks(ROOT / document) if not block.reason]
    tests = RUN_BY.get(document, ())
    assert bool(run) == bool(tests), (
        f"{document}: name in RUN_BY the test that runs its Python, or write `<!-- fragment: REASON -->` above a block"
    )
    assert [name for name in tests if document not in (ROOT / name).read_text()] == []


@pytest.mark.parametrize("document", [name for name in DOCUMENTS if name.startswith("docs/") and name not in LONG])
def test_a_page_is_short(document):
    assert len((ROOT / document).read_text().splitlines()) <= MAX_LINES


def test_the_design_names_every_room():
    rows = re.findall(r"^\| (`.+?) \|", (ROOT / "docs" / "design.md").read_text(), re.MULTILINE)
    named = {name.rpartition("/")[2] for row in rows for name in re.findall(r"`([\w/]+)`", row)}
    rooms = {path.parent.name for name in ("searchspace", "trainables") for path in (ROOT / name).glob("*/__init__.py")}
    assert rooms - named == set(), "docs/design.md, 'Rooms': a row each"
