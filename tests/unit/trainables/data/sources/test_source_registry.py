"""The contract of the registry of data sources; a failure says what a new entry lacks."""

import inspect
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.repository import ROOT
from trainables.common.errors import UserError
from trainables.data.sources.source import DataSource, RawSet, make_array_part
from trainables.data.sources.source_registry import (
    LAYOUTS,
    NAMED_SETS,
    SOURCES,
    describe_sources,
    licence_of_data,
    open_source,
)


def find_faults(name, source):
    """What an entry of the registry lacks, with advice."""
    where = f"SOURCES[{name!r}]"
    if not source.summary or source.summary.endswith(".") or "\n" in source.summary:
        yield f"{where}.summary: say in one clause what it is, as 'a folder of parquet files'"
    if [other for other in SOURCES.values() if other is not source and other.summary == source.summary]:
        yield f"{where}.summary: another entry has the same; say what is different"
    if not callable(source.open) or len(inspect.signature(source.open).parameters) != 2:
        yield f"{where}.open: give a function of a Path and DataOptions that returns a RawSet"
    if not source.licence.terms:
        yield f"{where}.licence: name the terms of the images, or leave USERS_LICENCE"
    if source.recognizes is not None:
        yield from find_layout_faults(where, source)


def find_layout_faults(where, source):
    if not source.summary.startswith(("a ", "an ")):
        yield f"{where}.summary: a layout's continues 'give', as 'a folder of parquet files'"
    if source.recognizes(ROOT / "no such file"):
        yield f"{where}.recognizes: is true for a path that does not exist"
    if source.recognizes(ROOT / "README.md"):
        yield f"{where}.recognizes: is true for a text file; look at the suffix or the first bytes"


@pytest.mark.parametrize("name", SOURCES)
def test_every_entry_is_complete(name):
    assert list(find_faults(name, SOURCES[name])) == []


def test_an_incomplete_entry_is_told_what_it_lacks():
    from trainables.data.sources.source import DataSource

    bad = DataSource(summary="", open=lambda: None, recognizes=Path.exists)
    faults = "\n".join(find_faults("new", bad))
    assert all(part in faults for part in ("summary: say", "open: give", "recognizes: is true for a text file"))


def test_the_layout_that_takes_any_folder_is_the_last(tmp_path):
    taking = [name for name, source in LAYOUTS.items() if source.recognizes(tmp_path)]
    assert taking == [list(LAYOUTS)[-1]], "a layout that takes an empty folder hides those after it in SOURCES"


def test_named_sets_and_layouts_are_all_there_is():
    assert {**NAMED_SETS, **LAYOUTS} == SOURCES
    assert all(text in describe_sources() for text in (*NAMED_SETS, *(source.summary for source in LAYOUTS.values())))


def test_a_layouts_name_is_no_data_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in LAYOUTS:
        assert licence_of_data(name).id == "unknown"
        with pytest.raises(UserError, match="nor an existing file or folder"):
            open_source(name)


def test_a_file_that_no_layout_takes_is_refused_with_what_is_taken(tmp_path):
    (tmp_path / "images.h5").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"give a \.npz file of arrays, .* or a folder of images") as error:
        open_source(str(tmp_path / "images.h5"))
    assert "\n" not in str(error.value)


def test_a_layout_is_one_record_in_the_registry(tmp_path, monkeypatch):
    """The walk of `docs/extending.md`: the record alone makes `--data` take the layout, and help and errors name it."""

    def open_halves(path, options):
        level = int(path.read_text())
        images = np.stack([np.full((8, 8, 1), level * (i % 2), np.uint8) for i in range(8)])
        part = make_array_part(images, np.arange(8) % 2)
        return RawSet("halves", ("dark", "light"), {"train": part}, 1, 8, 8, f"halves {level}")

    halves = DataSource("a .halves file", open_halves, recognizes=lambda path: path.suffix == ".halves")
    assert list(find_faults("halves", halves)) == []
    monkeypatch.setitem(LAYOUTS, "halves", halves)
    (tmp_path / "a.halves").write_text("200")
    assert open_source(str(tmp_path / "a.halves")).classes == ("dark", "light")
    assert "a .halves file" in describe_sources()
