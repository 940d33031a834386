"""docs/troubleshooting.md has every message that the packages address to people, below a cause and a remedy."""

import re
from pathlib import Path

import pytest

from tests.helpers.documents.message_page import (
    PAGE,
    as_code,
    rendered,
    selectors_of,
    useless_selectors,
    without_topic,
)
from tests.helpers.documents.messages import Message, all_messages, read_messages

MODULE = """
from trainables.common.errors import UserError, suggest

REMEDY = "give another"


class NarrowError(UserError):
    pass


def find(name, known):
    where = f"--data {name!r}"
    if not known:
        raise NarrowError(f"{where}: is empty; {REMEDY}")
    raise UserError(f"{where}: {_reason(known)}{suggest(name, known)}")


def _reason(known):
    if len(known) > 3:
        return "has too many"
    return f"has {len(known)} of them" if known else "has none"


def tell(reporter):
    reporter.warning("the disk is full")
"""


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text()


def test_every_message_has_a_topic(page):
    missing = without_topic(page, all_messages())
    assert missing == [], "docs/troubleshooting.md: add their modules to a list, then `make docs`"


def test_the_lists_choose_messages_that_are_there(page):
    assert useless_selectors(page, all_messages()) == []


def test_the_lists_are_those_of_the_code(page):
    assert page == rendered(page, all_messages()), "`make docs` writes them"


def test_every_list_stands_below_a_cause_and_a_remedy(page):
    parts = re.split(r"^#{2,3} ", page, flags=re.MULTILINE)
    listed = [part for part in parts if "<!-- messages:" in part]
    assert len(listed) > 50
    assert [part.splitlines()[0] for part in listed if "**Cause.**" not in part or "**Remedy.**" not in part] == []


@pytest.fixture
def read(tmp_path) -> list[Message]:
    """The messages of a package of one module."""
    (tmp_path / "searchspace").mkdir()
    (tmp_path / "searchspace" / "made.py").write_text(MODULE)
    (tmp_path / "trainables" / "common").mkdir(parents=True)
    (tmp_path / "trainables" / "common" / "errors.py").write_text("class UserError(Exception):\n    pass\n")
    return read_messages(Path(tmp_path))


def test_texts_are_followed_through_names_functions_and_subclasses(read):
    assert [(message.function, message.text) for message in read] == [
        ("find", "--data …: is empty; give another"),
        ("find", "--data …: has too many"),
        ("find", "--data …: has … of them"),
        ("find", "--data …: has none"),
        ("tell", "warning: the disk is full"),
    ]


def test_a_page_lists_what_its_selectors_choose(read):
    page = (
        "<!-- messages: searchspace.made:tell -->\n<!-- /messages -->\n<!-- messages: searchspace.gone -->x"
        "<!-- /messages -->"
    )
    assert selectors_of(page) == ["searchspace.made:tell", "searchspace.gone"]
    assert useless_selectors(page, read) == ["searchspace.gone"]
    assert {message.function for message in without_topic(page, read)} == {"find"}
    assert "- `warning: the disk is full`" in rendered(page, read)


def test_backticks_in_a_message_are_kept():
    assert as_code("run `make`") == "`` run `make` ``"
