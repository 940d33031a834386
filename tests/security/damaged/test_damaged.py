"""Every file of a results folder, damaged in every way: a board or a report that says so, or one line; nothing else.

Never a traceback, never a hang, never memory without bounds, and nothing outside of the folder is read or written. The
default run takes a sample, the same each time; the slow one takes all.
"""

import random
from pathlib import Path

import pytest

from tests.helpers.attacks.commands import run_function
from tests.helpers.attacks.damage import Damage, damages
from tests.helpers.attacks.damaged_search import COMMANDS
from trainables.common.errors import UserError
from trainables.export.model_info import MODEL_INFO

SAMPLE = 150
"""Pairs of a damage and a command in the default run."""


def serve(folder: Path) -> None:
    """What `serve` does before it listens."""
    from searchspace.prediction.find_model import find_model
    from searchspace.storage.open_results import is_model_file, open_results
    from trainables.export.predictor import Predictor

    Predictor(find_model(open_results(str(folder), is_model_file).folder), threads=1)


def warm_start(folder: Path) -> None:
    """What `run --warm-start` reads."""
    from searchspace.sampling.warm_start import read_best_configs, read_comparable_trials
    from searchspace.spec import make_spec
    from trainables.data.store.store import prepare_data

    read_best_configs([str(folder)], {})
    read_comparable_trials(
        make_spec(name="x", warm_start=[str(folder)], max_epochs=9, grace_epochs=1), prepare_data("digits")
    )


def resume(folder: Path) -> None:
    """What `run --resume` reads before it prepares anything."""
    from searchspace.preparation.resume import is_finished, load_resumed_spec
    from searchspace.sampling.samplers import make_sampler
    from searchspace.study.study import continue_study

    spec = load_resumed_spec(folder.name, {"results": str(folder.parent)}, set())
    is_finished(spec)
    continue_study(spec, make_sampler(spec, "random"))


def export(folder: Path) -> None:
    """What `export` reads before it measures."""
    from searchspace.finals.choose_student import read_student
    from searchspace.spec import load_spec
    from trainables.export.exported_files import read_export_record
    from trainables.export.weights import read_classifier
    from trainables.storage.files import is_file

    load_spec(folder)
    student = read_student(folder)
    for part in ("winner", *(["student"] if student and student.status == "trained" else [])):
        if is_file(folder / part / MODEL_INFO):
            read_classifier(folder / part)
            read_export_record(folder / part)


def cards(folder: Path) -> None:
    """What model cards are written from, after an export."""
    from searchspace.reporting.model_card.card_file import render
    from searchspace.reporting.results import read_classifier_results

    for part in ("winner", "student"):
        try:
            render(read_classifier_results(folder / part))
        except FileNotFoundError as error:  # `read_classifier_results` says so, and `try_cards` answers it
            raise UserError(str(error)) from error


COMMANDS |= {
    function.__name__: lambda folder, function=function: run_function(lambda: function(folder))  # type: ignore[misc]
    for function in (serve, warm_start, resume, export, cards)
}
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
