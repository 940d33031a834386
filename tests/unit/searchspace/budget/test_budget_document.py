"""What docs/budget.md says of budgets and presets is what the program does."""

import re
from itertools import pairwise

import pytest

from searchspace.budget.allowance import Phase
from searchspace.budget.presets import DEFAULT_PRESET, PRESETS
from searchspace.cli.values import parse_budget
from tests.helpers.repository import ROOT

TEXT = (ROOT / "docs" / "budget.md").read_text()
UNITS = {"seconds": "seconds", "dollars": "dollars", "GPU-hours": "GPU-hours"}
ROWS = re.findall(r"^\| (`.*`) \| (\S+?)[,;] ", TEXT, re.M)
PRESET_ROWS = re.findall(r"^\| `(\w+)`( \(default\))? \| (.*) \|$", TEXT, re.M)


@pytest.mark.parametrize(("written", "unit"), ROWS)
def test_budgets_are_written_as_it_says(written, unit):
    budgets = [parse_budget(text) for text in re.findall(r"`(.*?)`", written)]
    assert {budget.unit for budget in budgets} == {UNITS[unit]}


def test_presets_are_what_it_says():
    assert len(ROWS) == len(UNITS)
    assert [name for name, *_ in PRESET_ROWS] == list(PRESETS)
    for name, default, cells in PRESET_ROWS:
        preset = PRESETS[name]
        shares = [f"{100 * preset.shares[phase]:g} %" for phase in (Phase.SEARCH, Phase.FINALS, Phase.EXPORT)]
        said = [str(each) for each in (preset.trials, preset.finalists, preset.final_seeds, preset.patience)] + shares
        assert cells.split(" | ") == said
        assert bool(default) == (name == DEFAULT_PRESET)


def test_each_preset_has_all_that_the_one_before_it_has():
    presets = list(PRESETS.values())
    for less, more in pairwise(presets):
        assert more.trials > less.trials
        assert more.finalists > less.finalists
        assert more.final_seeds > less.final_seeds
        assert more.patience > less.patience
        assert more.shares[Phase.FINALS] > less.shares[Phase.FINALS]
        assert more.shares[Phase.EXPORT] >= less.shares[Phase.EXPORT]
