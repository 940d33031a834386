"""docs/api.md is what the code says of all that `searchspace` exports."""

import pytest

from tests.helpers.documents.api_page import PAGE, render_page
from tests.helpers.documents.exported_names import exported_names
from tests.helpers.repository import ROOT

NAMES = exported_names(ROOT / "searchspace")
PACKAGE = """
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from searchspace.made import Shape, area, hidden

__all__ = ["Shape", "area"]
"""
MODULE = '''
class Base:
    side: float
    """Length of a side, in m."""


class Shape(Base):
    """A flat thing."""

    kind: Literal["shape"] = "shape"
    """Discriminator."""
    corners: Annotated[int | None, Checked()] = Field(None, ge=3)
    """Number of corners."""

    @property
    def name(self) -> "Name":
        """What it is called."""

    def grow(self, factor: float = 2, *others: int, far: bool = False, **rest: Unpack[Options]) -> None:
        """Grow it."""

    def undocumented(self):
        pass


def area(shape: "Shape") -> float:
    """Its area, in square metres."""


def hidden():
    """Not exported."""
'''


@pytest.fixture
def page(tmp_path) -> str:
    """What is rendered of a package of one module."""
    package = tmp_path / "searchspace"
    package.mkdir()
    (package / "__init__.py").write_text(PACKAGE)
    (package / "made.py").write_text(MODULE)
    return render_page("Before.\n<!-- api -->old<!-- /api -->\nAfter.", exported_names(package), tmp_path)


def test_the_page_is_what_the_code_says():
    assert PAGE.read_text() == render_page(PAGE.read_text(), NAMES), "`make docs` writes it"


@pytest.mark.parametrize("found", NAMES, ids=lambda found: found.name)
def test_an_exported_name_is_described(found):
    assert found.doc


def test_what_people_wrote_stays(page):
    assert page.startswith("Before.\n")
    assert page.endswith("\nAfter.")
    assert "old" not in page


def test_fields_are_a_table_with_those_of_the_bases(page):
    assert "| `side` | `float` |  | Length of a side, in m. |" in page
    assert "| `corners` | `int \\| None` | `None` | Number of corners. |" in page
    assert "Discriminator" not in page


def test_signatures_are_whole_and_without_self(page):
    assert "    grow(factor: float = 2, *others: int, far: bool = False, **rest: Unpack[Options]) -> None\n" in page
    assert "    area(shape: Shape) -> float\n" in page
    assert "**`Shape.name`**: `Name`" in page


def test_what_is_not_exported_or_not_described_is_left_out(page):
    assert "hidden" not in page
    assert "undocumented" not in page
