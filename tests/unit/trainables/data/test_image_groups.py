"""Groups by a regular expression on paths: what they are, and what is refused."""

import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from searchspace.preparation.data_issues import copy_image_lists, describe_data_issues
from trainables.common.errors import UserError
from trainables.common.escaping import read_csv
from trainables.data import image_groups
from trainables.data.data_options import DataOptions
from trainables.data.sources.source_registry import open_source
from trainables.data.store.store import open_store, prepare_data


def write_persons(root: Path, persons: range, shots: int = 4, classes: tuple[str, ...] = ("fist", "palm")) -> Path:
    """Images of each person's hands, each shot another image: `fist/p03-2.png`."""
    for person in persons:
        for number, name in enumerate(classes):
            for shot in range(shots):
                file = root / name / f"p{person:02}-{shot}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                rng = np.random.default_rng([person, number, shot])
                pixels = rng.integers(0, 256, (9, 9), dtype=np.uint8)
                pixels[0, 0] = person
                Image.fromarray(pixels).save(file)
    return root


def persons_by_split(data, permit: Path) -> dict[str, set[int]]:
    """The persons in each split: the first pixel of their images."""
    store = open_store(data)
    permit.touch()
    found = {split: store.images[store.rows(split)] for split in ("train", "val", "final-train", "final-val")}
    return {split: set(images[:, 0, 0, 0].tolist()) for split, images in found.items()} | {
        "test": set(store.open_test(permit)[0][:, 0, 0, 0].tolist())
    }


def test_a_person_is_in_one_split_of_the_search_and_of_its_finals(tmp_path):
    data = prepare_data(str(write_persons(tmp_path / "set", range(20))), options=DataOptions(group_by=r"p(\d+)"))
    persons = persons_by_split(data, tmp_path / "permit")
    for one, other in (("train", "val"), ("final-train", "final-val"), ("val", "final-val")):
        assert not persons[one] & persons[other]
    assert not persons["test"] & (persons["train"] | persons["val"])
    assert persons["test"] | persons["train"] | persons["val"] == set(range(20))
    assert (data.train, data.val, data.test) == (120, 16, 24)
    assert data.grouping.groups == 20
    assert data.grouping.shared == {}
    assert data.split.startswith("test = 15% of the images in 3 whole groups, stratified (15% to 15% of each class)")
    assert data.finals.source == "drawn"


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        (r"p(\d+)", ("00", "01")),
        (r"p\d+", ("p00", "p01")),
        (r"(?P<person>p0.)-(\d)", ("p00", "p01")),
        (r"/p00|p(\d+)", ("/p00", "01")),
        (r"^\w+", ("fist", "palm")),
    ],
)
def test_a_group_is_the_first_parenthesis_or_the_whole_match(tmp_path, pattern, names):
    raw = open_source(str(write_persons(tmp_path / "set", range(2))), DataOptions(group_by=pattern))
    part = raw.parts["train"]
    assert raw.group_names == names
    assert part.path(0) == "fist/p00-0.png"
    expected = 0 if names[0] in ("fist", "00", "p00", "/p00") else 1
    assert part.groups[0] == expected
    assert set(part.groups.tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("p(", r"--group-by 'p\(': is no regular expression of Python: missing \), unterminated subpattern"),
        (
            r"q(\d+)",
            r"finds no group in 80 of 80 paths, such as 'fist/p00-0.png'; change it so that it",
        ),
        (r"p(0\d)", r"finds no group in 8 of 88 paths, such as 'fist/p10-0.png'"),
        (r"x*", r"finds no group in 80 of 80 paths"),
        (r"(?s)^.*$|(fist)", "too few groups of images|class"),
        (
            r"^(fist|palm)",
            r"class 'fist' \(1\), 'palm' \(1\); a class needs at least 3, one for each split: add images",
        ),
        (r"^", "finds no group in 80 of 80"),
    ],
)
def test_what_makes_no_groups_is_one_line_with_a_remedy(tmp_path, pattern, message):
    root = write_persons(tmp_path / "set", range(10))
    if pattern == r"p(0\d)":
        write_persons(tmp_path / "set", range(10, 11))
    if pattern.startswith("(?s)"):
        assert prepare_data(str(root), options=DataOptions(group_by=pattern)).grouping.groups == 0
        return
    with pytest.raises(UserError, match=message) as raised:
        prepare_data(str(root), options=DataOptions(group_by=pattern))
    assert "\n" not in str(raised.value)


def test_the_suggested_expression_works(tmp_path):
    root = write_persons(tmp_path / "set", range(10))
    Image.fromarray(np.full((9, 9), 77, np.uint8)).save(root / "fist" / "other.png")
    for pattern in (r"p(\d+)", r"p\d+", r"(p)(\d+)"):
        with pytest.raises(UserError, match=r"no group in 1 of 81 paths, such as 'fist/other\.png'") as raised:
            open_source(str(root), DataOptions(group_by=pattern))
        wider = str(raised.value).partition("or give '")[2].partition("', which makes")[0]
        raw = open_source(str(root), DataOptions(group_by=wider))
        assert len(raw.group_names) == (2 if pattern.startswith("(p)") else 11)


def test_an_expression_that_takes_forever_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(image_groups, "MATCH_TIMEOUT_S", 0.5)
    root = write_persons(tmp_path / "set", range(3))
    Image.fromarray(np.full((9, 9), 77, np.uint8)).save(root / "fist" / f"{'a' * 40}!.png")
    start = time.monotonic()
    with pytest.raises(UserError, match=r"not done with 25 paths after 1 s; an expression with repetitions within"):
        open_source(str(root), DataOptions(group_by=r"fist/(a+)+$|palm|p"))
    assert time.monotonic() - start < 10


def test_names_of_any_bytes_are_matched(tmp_path):
    root = write_persons(tmp_path / "set", range(3))
    Image.fromarray(np.full((9, 9), 77, np.uint8)).save(root / "fist" / "p\udce9\n-1.png")
    raw = open_source(str(root), DataOptions(group_by=r"/(p[^-]*)-"))
    assert raw.group_names == ("p00", "p01", "p02", "p\udce9\n")


def test_images_without_paths_have_no_groups_by_them():
    with pytest.raises(UserError, match=r"--group-by a: images of 'digits' have no paths; leave the option out"):
        open_source("digits", DataOptions(group_by="a"))


def test_persons_in_two_given_splits_are_counted_listed_and_kept(tmp_path, caplog):
    root = tmp_path / "set"
    write_persons(root / "train", range(12))
    write_persons(root / "val", range(11, 15))
    write_persons(root / "test", range(10, 20), shots=5)
    data = prepare_data(str(root), options=DataOptions(group_by=r"p(\d+)", keep_copies=True))
    shared = data.grouping.shared
    assert (shared["val"].groups, shared["val"].images, shared["val"].earlier) == (1, 8, 8)
    assert (shared["test"].groups, shared["test"].images, shared["test"].earlier) == (5, 50, 48)
    assert (data.train, data.val, data.test) == (96, 32, 100), "a given split stays as it is"
    copy_image_lists(data, tmp_path)
    with (tmp_path / "shared-groups.csv").open(newline="") as file:
        rows = read_csv(file)
    assert rows[0] == {"group": "10", "train": "8", "val": "0", "test": "10"}
    assert [row["group"] for row in rows] == ["10", "11", "12", "13", "14"]
    lines = describe_data_issues(data.model_dump())
    assert (
        "50 images of test belong to 5 groups that train or val have, too, with 48 images; figures on test may "
        "flatter: `../shared-groups.csv`."
    ) in lines


def test_the_same_set_without_groups_has_the_store_it_always_had(tmp_path):
    root = write_persons(tmp_path / "set", range(10))
    plain, grouped = prepare_data(str(root)), prepare_data(str(root), options=DataOptions(group_by=r"p(\d+)"))
    assert plain.path != grouped.path
    assert plain.grouping is None
    assert not (Path(plain.path) / "groups.npy").exists()
