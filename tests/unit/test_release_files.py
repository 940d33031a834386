"""CITATION.cff and CHANGELOG.md have their forms, and name the version that pyproject.toml names."""

import re
import tomllib

import pytest
import yaml

from tests.helpers.repository import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())
CHANGES = (ROOT / "CHANGELOG.md").read_text()
REQUIRED = {"cff-version", "message", "title", "authors"}
KNOWN = REQUIRED | {
    "abstract", "commit", "contact", "date-released", "doi", "identifiers", "keywords", "license", "license-url",
    "preferred-citation", "references", "repository", "repository-artifact", "repository-code", "type", "url",
    "version",
}  # fmt: skip
"""Keys of the Citation File Format 1.2.0."""
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
"""Kinds of changes of Keep a Changelog."""


def test_the_citation_has_the_keys_of_its_format():
    assert REQUIRED <= CITATION.keys() <= KNOWN
    assert (CITATION["cff-version"], CITATION["type"]) == ("1.2.0", "software")
    assert all(author.keys() == {"name"} for author in CITATION["authors"])


@pytest.mark.parametrize(
    ("cited", "named"),
    [("version", "version"), ("title", "name"), ("license", "license"), ("abstract", "description")],
)
def test_the_citation_says_what_the_package_says(cited, named):
    assert CITATION[cited] == PROJECT[named]


def test_the_changelog_has_what_is_unreleased_and_every_version_newest_first():
    headings = re.findall(r"^## (.+)$", CHANGES, re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    released = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d", heading) for heading in headings[1:]]
    assert all(released)
    versions = [tuple(map(int, found[1].split("."))) for found in released]
    assert versions == sorted(versions, reverse=True)
    assert ".".join(map(str, versions[0])) == PROJECT["version"]


def test_changes_are_sorted_by_kind():
    assert set(re.findall(r"^### (.+)$", CHANGES, re.MULTILINE)) <= KINDS
