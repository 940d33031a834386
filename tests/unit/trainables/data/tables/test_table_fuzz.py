"""Tables drawn by hypothesis: each ends in the true label of every image, or in one line with thing and remedy."""

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.images.drawn_tables import HARMLESS, MadeTable, make_table
from tests.helpers.images.labelled_tables import read_back
from trainables.common.errors import UserError
from trainables.data.data_options import DataOptions
from trainables.data.sources.source_registry import open_source

REMEDY = re.compile(
    r"\b(give|Give|write|save|put|delete|keep|rename|quote|complete|add|name|download|allows|leaves|convert|expected)\b|--"
)
QUIET = settings(
    deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip


def check_known_form(data: st.DataObject) -> None:
    """A known form with nothing changed: it is read as it is meant, without an option."""
    with tempfile.TemporaryDirectory() as folder:
        made = make_table(data.draw, Path(folder).resolve() / "set", 0)
        raw = open_source(str(made.file))
        assert read_back(raw) == made.truth
        assert (raw.layout.columns["image"], raw.layout.columns["label"]) == (made.image, made.label)
        assert not raw.bad_images


def check_folder(data: st.DataObject) -> None:
    """The folder with the table is given: the truth, or a refusal; never other classes by the folders of the images."""
    with tempfile.TemporaryDirectory() as folder:
        made = make_table(data.draw, Path(folder).resolve() / "set", data.draw(st.integers(0, 1)))
        try:
            raw = open_source(str(made.file.parent))
        except UserError as error:
            check_refusal(str(error), made.file.parent)
            return
        if "a second label column" not in made.changes:
            check_truth(made, read_back(raw), bool(made.changes))


def check_changed(data: st.DataObject) -> None:
    """Some changes: the truth, or a refusal; what is skipped is listed."""
    with tempfile.TemporaryDirectory() as folder:
        made = make_table(data.draw, Path(folder).resolve() / "set", data.draw(st.integers(1, 3)))
        skip = data.draw(st.booleans())
        try:
            raw = open_source(str(made.file), DataOptions(on_bad_image="skip" if skip else "fail"))
        except UserError as error:
            check_message(made, str(error))
            return
        renamed = {"an odd name of the label column", "an odd header"} & set(made.changes)
        if renamed and "a second label column" in made.changes:
            return  # the second one is the only one that is named like labels
        check_truth(made, read_back(raw), skip or "a damaged image" in made.changes)


def check_refusal(said: str, place: Path) -> None:
    """One line that begins with the data set, or a file of it, and has a remedy."""
    assert said.isprintable()
    assert said.startswith(f"--data {str(place)!r}"[:-1]), said
    assert REMEDY.search(said.partition(": ")[2]), said


def check_message(made: MadeTable, said: str) -> None:
    check_refusal(said, made.file)
    assert set(made.changes) - HARMLESS, f"refused for {made.changes}: {said}"


def check_truth(made: MadeTable, found: dict[str, dict[str, str]], some_left_out: bool) -> None:
    known = {path: label for labels in made.truth.values() for path, label in labels.items()}
    for split, labels in found.items():
        for path, label in labels.items():
            assert (known[path], made.truth[split].get(path)) == (label, label), made.changes
    lost = {path for path in known if not any(path in labels for labels in found.values())}
    assert not lost or some_left_out or made.changes, lost
    assert len(lost) <= len(made.changes), (made.changes, lost)


@settings(QUIET, max_examples=50)
@given(st.data())
def test_known_forms_are_read_as_they_are_meant(data):
    check_known_form(data)


@settings(QUIET, max_examples=60)
@given(st.data())
def test_changed_tables_end_in_the_truth_or_in_one_line(data):
    check_changed(data)


@settings(QUIET, max_examples=40)
@given(st.data())
def test_folders_with_tables_end_in_the_truth_or_in_one_line(data):
    check_folder(data)


@pytest.mark.slow
@settings(QUIET, max_examples=900)
@given(st.data())
def test_many_more_tables(data):
    data.draw(st.sampled_from([check_changed, check_known_form, check_folder]))(data)
