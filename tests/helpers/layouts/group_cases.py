"""Folders whose file names tell groups, by the row of docs/layouts.md that describes them."""

from collections.abc import Callable
from pathlib import Path

from tests.helpers.images.data_sets import image
from tests.helpers.layouts.layout_case import LayoutCase
from trainables.data.data_options import DataOptions

BY_PERSON = DataOptions(group_by=r"person(\d+)")


def persons(*more: str) -> Callable[[Path], None]:
    """Two images of each of four persons in two classes, and `more` images of the first."""

    def make(root: Path) -> None:
        names = [f"person{number}-{shot}.png" for number in range(4) for shot in range(2)]
        for place, name in enumerate([*names, *more]):
            image(root / "fist" / name, place)
        for place, name in enumerate(names):
            image(root / "palm" / name, 100 + place)

    return make


GROUP_CASES = {
    "grouped-by-name": LayoutCase(persons(), "fist palm", {"train": 16}, options=BY_PERSON),
    "group-missing": LayoutCase(
        persons("other.png"), options=BY_PERSON, refused="finds no group in 1 of 17 paths, such as 'fist/other.png'"
    ),
    "group-invalid": LayoutCase(
        persons(), options=DataOptions(group_by="person("), refused="is no regular expression of Python: missing )"
    ),
}
