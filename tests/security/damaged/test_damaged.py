"""Every file of a results folder, damaged in every way: a board or a report that says so, or one line; nothing else.

Never a traceback, never a hang, never memory without bounds, and nothing outside of the folder is read or written. The
default run takes a sample, the same each time; the slow one takes all.
"""

import random

import pytest

from tests.helpers.attacks.damage import Damage, damages
from tests.helpers.attacks.damaged_search import COMMANDS

SAMPLE = 150
"""Pairs of a damage and a command in the default run."""

SLOW = ("report",)
"""Of the commands; the sample has fewer of these."""


def test_a_sample_of_damages(place):
    rng = random.Random(17)
    every = list(damages(place.whole, place.outside))
    by_file: dict[str, list[Damage]] = {}
    for damage in every:
        by_file.setdefault(damage.file, []).append(damage)
    names = [name for name in COMMANDS for _ in range(1 if name in SLOW else 5)]
    pairs = [(rng.choice(by_file[rng.choice(list(by_file))]), rng.choice(names)) for _ in range(SAMPLE)]
    faults = {f"{command}: {damage}": fault for damage, command in pairs if (fault := place.fault(damage, command))}
    print(f"{len(pairs)} of {len(every) * len(COMMANDS):,} damages and commands")
    assert faults == {}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("command", COMMANDS)
def test_all_damages(place, command):
    every = list(damages(place.whole, place.outside))
    faults = {str(damage): fault for damage in every if (fault := place.fault(damage, command))}
    print(f"{len(every):,} damages of {command}")
    assert faults == {}


def test_whole_folders_have_no_fault(place):
    nothing = Damage("search.json", "nothing", lambda _path: None)
    assert {name: fault for name in COMMANDS if (fault := place.fault(nothing, name))} == {}
