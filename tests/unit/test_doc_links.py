"""Links between the documents lead to files and headings that are there; the map and the glossary are whole."""

import re
from pathlib import Path

import pytest

from tests.helpers.repository import ROOT

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```$|^ {4}[^\n]*$|`[^`\n]*`", re.DOTALL | re.MULTILINE)
PAGES = [
    *("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"),
    *("cluster/README.md", "results/benchmarks/README.md"),
    *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))),
]


def anchors(text: str) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def broken_links(page: Path) -> list[str]:
    """Links of a page to files that are not there, and to headings that they do not have."""
    found = []
    for target in ("".join(pair) for pair in LINK.findall(CODE.sub("", page.read_text()))):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors(file.read_text())):
            found.append(target)
    return found


@pytest.mark.parametrize("document", PAGES)
def test_links_lead_somewhere(document):
    assert broken_links(ROOT / document) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One page\n\n[a](page.md#one-page) [b](#two) [c](gone.md) `[d](gone.md)`\n\n![e](gone.png)\n")
    assert broken_links(page) == ["#two", "gone.md", "gone.png"]


def test_the_map_names_every_page():
    named = {target.partition("#")[0] for target, _ in LINK.findall((ROOT / "docs" / "index.md").read_text())}
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert pages - named == set(), "docs/index.md: add a line for each"


def test_the_glossary_has_the_words_of_the_design():
    lines = (ROOT / "docs" / "glossary.md").read_text().splitlines()
    entries = [line[4:].partition("**")[0] for line in lines if line.startswith("- **")]
    assert entries == sorted(entries, key=str.casefold)
    section = (ROOT / "docs" / "design.md").read_text().partition("## Words")[2].partition("\n## ")[0]
    words = set(re.findall(r"\*\*(\w+)\*\*", section))
    assert len(words) > 10
    assert words - set(entries) == set()


def test_the_readme_is_a_front_page():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200, "move the rest to a page of docs/"


@pytest.mark.parametrize("document", [name for name in PAGES if name.startswith("docs/") and "/examples/" not in name])
def test_a_page_says_what_it_is_for_and_where_to_read_on(document):
    title, _, rest = (ROOT / document).read_text().partition("\n\n")
    assert title.startswith("# ")
    assert rest[:1].isalpha() or rest[:1] in "`[", "a sentence that says what the page is for comes first"
    assert ".md" in rest.strip().rpartition("\n\n")[2], "it ends with links to other pages"
