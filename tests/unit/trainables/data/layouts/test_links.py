"""Links within and out of a data folder: an option follows them, loops end, and no image is used twice."""

from collections import Counter
from pathlib import Path

import pytest

from tests.helpers.images.data_sets import images
from trainables.common.errors import UserError
from trainables.data.data_options import DataOptions
from trainables.data.layouts.left_out import LeftOutReason
from trainables.data.sources.source_registry import open_source
from trainables.data.store.store import prepare_data

FOLLOW = DataOptions(follow_links=True)


def classes(root: Path, names: str = "ab", count: int = 3) -> Path:
    for name in names:
        images(root / name, count)
    return root


def link(place: Path, target: Path | str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


def counts(root: Path, options: DataOptions | None = None) -> dict[str, dict[str, int]]:
    raw = open_source(str(root), options)
    assert not raw.bad_images
    return {part: dict(Counter(raw.classes[i] for i in raw.parts[part].labels)) for part in raw.parts}


@pytest.mark.parametrize("place", ["c", "train", "a/more", "a/more.png", "data/c"])
def test_a_link_out_of_the_data_is_followed_by_an_option_that_the_error_names(tmp_path, place):
    root, target = tmp_path / "set", classes(tmp_path / "out")
    if place == "train":
        link(root / "train", target)
    else:
        classes(root / "data" if "data" in place else root)
        link(root / place, target / "a" / "a0.png" if place.endswith(".png") else target / "a")
    with pytest.raises(UserError, match=r"out of the data folder; --follow-links follows it") as error:
        prepare_data(str(root))
    assert "\n" not in str(error.value)
    expected = {"c": {"a": 3, "b": 3, "c": 3}, "a/more": {"a": 6, "b": 3}, "a/more.png": {"a": 4, "b": 3}}
    assert counts(root, FOLLOW)["train"] == (expected | {"data/c": expected["c"]}).get(place, {"a": 3, "b": 3})
    part = open_source(str(root), FOLLOW).parts["train"]
    assert all((root / part.path(i)).is_file() for i in range(len(part.labels))), "paths begin in the data folder"


def test_followed_links_make_a_store_that_is_found_again(tmp_path):
    link(classes(tmp_path / "set", count=6) / "c", classes(tmp_path / "out", count=6) / "a")
    data = prepare_data(str(tmp_path / "set"), options=FOLLOW)
    assert (data.classes, data.options_to_repeat.follow_links) == (("a", "b", "c"), True)
    assert prepare_data(str(tmp_path / "set"), options=data.options_to_repeat).path == data.path


@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize(
    ("place", "target"),
    [("a/loop", "a"), ("a/up", "."), ("b/deep/er/up", "b"), ("a/a9.png", "a/a0.png"), ("a/z.png", "a/a9.png")],
)
def test_what_is_reached_twice_counts_once_and_is_said(tmp_path, place, target, follow):
    root = classes(tmp_path / "set")
    link(root / "a" / "a9.png", root / "a" / "a0.png")
    (root / "a" / "a9.png").unlink() if place == "a/a9.png" else None
    link(root / place, root / target)
    options = DataOptions(follow_links=follow)
    assert counts(root, options) == {"train": {"a": 3, "b": 3}}
    left_out = open_source(str(root), options).layout.left_out
    assert str(root / place) in {file.path for file in left_out if file.reason == LeftOutReason.LINK}


@pytest.mark.parametrize(("place", "target"), [("a2", "a"), ("b/again.png", "a/a0.png"), ("b/inner", "a")])
def test_an_image_that_links_give_two_classes_is_refused(tmp_path, place, target):
    root = classes(tmp_path / "set")
    link(root / place, root / target)
    with pytest.raises(UserError, match=r"is a link to an image of another class, 'a/a0.png'; .* delete the link"):
        open_source(str(root))
    (root / place).unlink()
    assert counts(root) == {"train": {"a": 3, "b": 3}}


@pytest.mark.parametrize("place", ["c", "train", "a/more", "c.d"])
@pytest.mark.parametrize("follow", [False, True])
def test_a_link_to_nowhere_that_may_have_been_a_folder_is_never_ignored(tmp_path, place, follow):
    root = classes(tmp_path / "set")
    link(root / place, "nowhere")
    with pytest.raises(UserError, match=r"a link that leads nowhere"):
        prepare_data(str(root), options=DataOptions(follow_links=follow))
    (root / place).unlink()
    link(root / "a" / "notes.txt", "nowhere")
    assert counts(root) == {"train": {"a": 3, "b": 3}}


def test_two_splits_that_are_one_folder_are_refused(tmp_path):
    root = tmp_path / "set"
    classes(root / "train")
    link(root / "val", root / "train")
    with pytest.raises(UserError, match=r"folders 'train', 'val' are one folder"):
        open_source(str(root))


def test_an_image_in_two_splits_by_a_link_is_said(tmp_path):
    for split in ("train", "test"):
        classes(tmp_path / "set" / split)
    link(tmp_path / "set" / "test" / "a" / "again.png", tmp_path / "set" / "train" / "a" / "a0.png")
    (warning,) = open_source(str(tmp_path / "set")).layout.warnings
    assert warning in {"1 images of test are links to images of train", "1 images of train are links to images of test"}


def test_links_to_kept_images_are_read_where_they_lie(tmp_path):
    """As `git annex` and `dvc` have them: the content is in a hidden folder."""
    root = tmp_path / "set"
    for name in ("a", "b"):
        for file in images(root / ".git" / "annex" / name, 3):
            link(root / name / file.name, file)
    assert counts(root) == {"train": {"a": 3, "b": 3}}


def test_the_data_folder_may_be_a_link(tmp_path):
    link(tmp_path / "set", classes(tmp_path / "real"))
    assert counts(tmp_path / "set") == {"train": {"a": 3, "b": 3}}
