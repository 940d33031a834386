"""What the documents name exists: files, and the classes and functions that they are said to hold."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
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


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_that_a_document_names_exist(document):
    text = (ROOT / document).read_text()
    named = set(FILE.findall(text)) - set(re.findall(r"^# new file (.+)$", text, re.MULTILINE))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("document", [name for name in DOCUMENTS if name.startswith("docs/")])
def test_names_that_a_document_gives_exist(document):
    named = {name for name in NAME.findall((ROOT / document).read_text()) if name not in FOREIGN}
    assert [name for name in sorted(named) if not WORDS.issuperset(name.split("."))] == []
