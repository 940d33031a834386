"""The table of layouts in docs/layouts.md: each row is made, and what it says happens."""

import re

import pytest

from tests.helpers.layouts.annotated_cases import ANNOTATED_CASES
from tests.helpers.layouts.folder_cases import FOLDER_CASES
from tests.helpers.layouts.group_cases import GROUP_CASES
from tests.helpers.layouts.path_table_cases import PATH_TABLE_CASES
from tests.helpers.layouts.table_cases import TABLE_CASES
from tests.helpers.repository import ROOT
from trainables.common.errors import UserError
from trainables.data.sources.source_registry import open_source

CASES = FOLDER_CASES | ANNOTATED_CASES | PATH_TABLE_CASES | TABLE_CASES | GROUP_CASES
ROWS = dict(re.findall(r"^\| .* <!-- (\S+) --> \| (.*) \|$", (ROOT / "docs" / "layouts.md").read_text(), re.M))
"""What happens, by the name in a row's comment."""


def test_each_row_has_a_case_and_each_case_a_row():
    assert {*ROWS} == {*CASES}


@pytest.mark.parametrize("name", CASES)
def test_what_a_row_says_happens(tmp_path, name):
    case = CASES[name]
    made = case.make(tmp_path / "set")
    place = str(made or tmp_path / "set")
    assert ROWS[name].startswith("refused") == bool(case.refused), "the row says so"
    if case.refused:
        with pytest.raises(UserError) as error:
            open_source(place, case.options)
        assert case.refused in str(error.value)
        assert "\n" not in str(error.value)
        return
    raw = open_source(place, case.options)
    assert sorted(raw.classes) == sorted(case.classes.split())
    assert {part: len(found.labels) for part, found in raw.parts.items()} == case.counts
    assert {found.reason.value for found in raw.layout.left_out} == case.left_out
    assert any(case.warns in line for line in raw.layout.warnings) or not case.warns
