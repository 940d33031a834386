"""`searchspace data PATH`: what it says and writes, and when a search could not begin."""

import re

import numpy as np
import pytest

from searchspace.data import main
from searchspace.reporting.data_page.class_images import IMAGES_A_CLASS, MAX_IMAGES, choose_images
from tests.helpers.attacks.commands import run_function
from tests.helpers.images.data_sets import images
from trainables.data.overview import DataOverview, examine, format_overview
from trainables.data.sources.source import RawSet, make_array_part
from trainables.data.sources.source_registry import open_source
from trainables.data.store.store import prepare_data

MAX_LINES = 25


def say(*arguments: object):
    return run_function(main, "searchspace/data.py", *map(str, arguments))


@pytest.fixture
def photos(tmp_path):
    """Two classes, a split, a file that is no image, and one in a format that is not decoded."""
    for split, cats, dogs in (("Training", 12, 6), ("Testing", 4, 0)):
        images(tmp_path / "photos" / split / "cat", cats)
        (tmp_path / "photos" / split / "dog").mkdir()
        images(tmp_path / "photos" / split / "dog" / "<b>", dogs) if dogs else None
    (tmp_path / "photos" / "Training" / "cat" / "notes.txt").write_text("none")
    (tmp_path / "photos" / "Training" / "cat" / "a.psd").write_bytes(b"8BPS")
    return tmp_path / "photos"


def test_one_block_says_what_was_understood_and_nothing_is_stored(photos, tmp_path, monkeypatch):
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "cache"))
    done = say(photos)
    assert (done.code, done.error) == (0, "")
    assert done.output.splitlines() == [
        "layout: train = Training/ (18 images), test = Testing/ (4 images)",
        "2 classes: 'cat', 'dog'",
        "images: all 8x8 pixels (width x height), RGB",
        "warning: left out 1 .psd: a format that is not decoded; convert them to JPEG or PNG to use them",
        "left out 1 .txt: no images",
        "training images: 6 ('dog') to 12 ('cat') in a class (unbalanced)",
        "warning: test has no image of class 'dog', so nothing is measured of it there",
        "splits: 15 train, 3 val, 4 test (test = the source's test, Testing/; val = 17% of the training images, "
        "stratified)",
        "store: 8x8 pixels, RGB, 0.0 MB",
    ]
    assert not (tmp_path / "cache" / "stores").exists()


def test_a_search_says_the_same_before_it_decodes(photos, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "cache"))
    caplog.set_level("INFO")
    prepare_data(str(photos))
    said = [(record.levelno, record.getMessage()) for record in caplog.records]
    block = format_overview(examine(open_source(str(photos))))
    assert said[: len(block)] == block


def test_the_page_shows_classes_images_and_lists_and_no_name_acts(photos, tmp_path):
    evil = "<img src=x onerror=alert(1)>"
    images(photos / "Training" / evil, 5)
    done = say(photos, "--html", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert done.code == 0
    assert "3 classes, 27 images" in page
    assert evil not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert page.count("data:image/png;base64,") == 2 * IMAGES_A_CLASS - 2 + 5
    assert all(part in page for part in ("a.psd", "notes.txt", "default-src &#39;none&#39;"))
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", page), "nothing is loaded"


def test_a_page_is_the_same_each_time(photos, tmp_path):
    for name in ("a.html", "b.html"):
        say(photos, "--html", tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_a_page_of_many_classes_shows_some_images_of_some():
    count = 3 * MAX_IMAGES
    labels = np.repeat(np.arange(count), 2)
    part = make_array_part(np.zeros((len(labels), 8, 8, 1), np.uint8), labels)
    chosen = choose_images(RawSet("made", tuple(map(str, range(count))), {"train": part}, 1, 8, 8, ""))
    assert len(chosen) == MAX_IMAGES
    assert {len(places) for places in chosen.values()} == {1}
    assert all(labels[row] == label for label, places in chosen.items() for _, row in places)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "Training/cat/bad.jpg").write_bytes(b""), "bad.jpg (empty); `--on-bad-image skip`"),
        (lambda folder: images(folder / "Training/rare", 1), "class 'rare' (1); a class needs at least 2"),
    ],
    ids=["bad image", "rare class"],
)  # fmt: skip
def test_where_a_search_could_not_begin_the_block_is_there_and_the_reason_last(photos, tmp_path, spoil, said):
    spoil(photos)
    done = say(photos, "--html", tmp_path / "page.html")
    assert done.code == 2
    assert done.output.startswith("layout: train = Training/")
    (line,) = done.error.splitlines()
    assert said in line
    assert "A search cannot begin" in (tmp_path / "page.html").read_text()


def test_images_that_are_skipped_are_said(photos):
    (photos / "Training/cat/bad.jpg").write_bytes(b"")
    done = say(photos, "--on-bad-image", "skip")
    assert done.code == 0
    assert "warning: left out as unusable by their headers: " in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nonsense",), "neither a known data set"),
        (("digits", "--html", "/proc/none/x.html"), "--html '/proc/none/x.html': cannot be written"),
        ((), "missing argument"),
    ],
)
def test_errors_are_one_line(arguments, said):
    done = say(*arguments)
    assert done.code == 2
    (line,) = done.error.splitlines()
    assert said in line


def test_a_page_does_not_lie_in_the_data(photos):
    done = say(photos, "--html", photos)
    assert done.refused_in_one_line
    assert "lies in the data folder" in done.error


def test_groups_weights_and_sizes_are_said_where_there_are_any():
    overview = DataOverview(
        name="made", layout=open_source("digits").layout, classes=("a", "b"), counts={"train": np.array([3, 4])},
        sizes=np.array([[100, 200], [50, 50], [300, 100]]), groups=(4, 2, 1), weights=(0.5, 2.0),
    )  # fmt: skip
    lines = [line for _, line in format_overview(overview)]
    assert lines[2:] == [
        "images: 50x50 to 100x300 pixels (width x height), median 200x100; width / height 0.33 to 2, RGB",
        "groups: 3 of up to 4 images; each stays in one split",
        "weights: 0.5 to 2",
    ]
    assert len(lines) < MAX_LINES
