"""Advice in errors works: who follows it comes to a data set that is read, not to the next error."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.images.data_sets import image, images
from tests.helpers.layouts.annotated_cases import development_kit, named_by_class, one_hot
from tests.helpers.layouts.layout_case import tree
from trainables.common.errors import UserError
from trainables.data.data_options import DataOptions
from trainables.data.sources.source_registry import open_source

Step = Callable[[Path, re.Match[str]], object]


def delete(root: Path, found: re.Match[str]) -> None:
    """Delete every folder or link of that name."""
    for path in [path for path in root.rglob("*") if path.name == found[1]]:
        path.unlink() if path.is_symlink() or path.is_file() else shutil.rmtree(path)


def move_out(root: Path, found: re.Match[str]) -> None:
    (next(root.rglob(found[1]))).rename(root.parent / "moved")


def fill(root: Path, found: re.Match[str]) -> None:
    for place in sorted({root / "train" if (root / "train").is_dir() else root}):
        images(place / found[1], 3)


def fill_train(root: Path, _found: re.Match[str]) -> None:
    tree(train__a=3, train__b=3)(root)


def give_other_name(root: Path, found: re.Match[str]) -> None:
    (root / found[1]).rename(root / found[2])


def give_alone(_root: Path, found: re.Match[str]) -> Path:
    return Path(found[1])


def merge(root: Path, found: re.Match[str]) -> None:
    for file in [*(root / found[2]).rglob("*.png")]:
        file.rename(root / found[1] / file.relative_to(root / found[2]))
    shutil.rmtree(root / found[2])


def sort_by_name(root: Path, found: re.Match[str]) -> None:
    for file in [*(root / "images").iterdir()]:
        name = next(name for name in found.groups() if file.name.startswith(name))
        (root / "images" / name).mkdir(exist_ok=True)
        file.rename(root / "images" / name / file.name)


def linked(root: Path) -> None:
    tree(cat=3, dog=3)(root)
    (root / "dog" / "again.png").symlink_to(root / "cat" / "cat0.png")


def copy_in_place(root: Path, found: re.Match[str]) -> None:
    link, target = root / found[1], root / found[2]
    data = target.read_bytes()
    link.unlink()
    link.write_bytes(data)
    target.unlink()


def link_to_nowhere(root: Path) -> None:
    tree(cat=3, dog=3)(root)
    (root / "bird").symlink_to("nowhere")


def link_out(root: Path) -> None:
    tree(cat=3)(root)
    images(root.parent / "elsewhere", 3)
    (root / "dog").symlink_to(root.parent / "elsewhere")


def kit_without_meta(root: Path) -> None:
    development_kit(root.parent / "whole")
    development_kit(root, meta=False)


def put_meta(root: Path, found: re.Match[str]) -> None:
    shutil.copy(next((root.parent / "whole").rglob("meta.mat")), Path(found[1]).parent)


def delete_line(_root: Path, found: re.Match[str]) -> None:
    lines = Path(found[2]).read_text().splitlines()
    del lines[int(found[1]) - 1]
    Path(found[2]).write_text("\n".join(lines))


SPLITS = tree(train__a=3, train__b=3, test__a=2, test__b=2)
CASES: dict[str, tuple[Callable[[Path], object], str, Step]] = {
    "two names": (tree(train__a=3, train__b=3, val__a=2, val__b=2, valid__a=2), "folders '(.*)', '(.*)' all", merge),
    "two names, delete": (tree(train__a=3, train__b=3, val__a=2, valid__a=2), "'val', '(.*)' all", delete),
    "class test": (tree(test=3, cat=3, dog=3), "if '(.*)' is a class, .* such as '(.*)'", give_other_name),
    "classes test, val": (tree(test=3, val=3, dog=3), "if '(.*)' is a class, .* such as '(.*)'", give_other_name),
    "class train": (tree(train=3, cat=3), "if '(.*)' is a class, .* such as '(.*)'", give_other_name),
    "empty class": (tree(cat=3, dog=3, bird=0), "class folder '(.*)' holds no images; put some", fill),
    "empty class, delete": (tree(train__a=3, train__b=3, train__c=0, test__a=1, test__c=0), "'(c)' holds", delete),
    "empty test": (tree(train__a=3, train__b=3, test=0), "(test)'; .* delete the folder", delete),
    "empty train": (tree(train=0, test__a=3, test__b=3), "put the images to train on there", fill_train),
    "test class": (tree(train__a=3, train__b=3, test__c=3, test__a=3), "put some into train's folder '(.*)', or", fill),
    "test class, delete": (tree(train__a=3, train__b=3, test__c=3, test__a=3), "folder '(.*)' has images", delete),
    "other test": (tree(train__a=3, train__b=3, test__c=3), "or move (test) out of the data folder", move_out),
    "copy": (tree(cat=3, dog=3, x__cat=3, x__dog=3), "delete it, or give it alone: --data '(.*)'", give_alone),
    "copy, delete": (tree(cat=3, dog=3, x__cat=3, x__dog=3), "folder '(x)' holds", delete),
    "variants": (tree(color__a=3, color__b=3, gray__a=3, gray__b=3), "such as --data '(.*)'", give_alone),
    "beside": (tree(train__a=3, train__b=3, a=2), "'(a)' beside", lambda root, _: shutil.move(root / "a", root.parent)),
    "two sets": (tree(raw__train__a=3, raw__train__b=3, more=3), "alone: --data '(.*)'", give_alone),
    "unlabelled": (tree(train__a=3, train__b=3, train__unsup=3), "'(unsup)' holds images without", move_out),
    "file names": (named_by_class, r"with the class \('(.*)', '(.*)'\), move", sort_by_name),
    "nowhere": (link_to_nowhere, "/(bird)' is a link that leads nowhere", delete),
    "two classes": (linked, "'(dog/.*)' is a link", lambda root, found: (root / found[1]).unlink()),
    "two classes, copy": (linked, "'(dog/.*)' is a link .* class, '(.*)'; an", copy_in_place),
    "link": (link_out, "(--follow-links) follows it", lambda _root, _found: DataOptions(follow_links=True)),
    "kit": (kit_without_meta, "data: '(.*)' labels images by numbers", put_meta),
    "several labels": (one_hot("1, 0", "0, 1", "1, 1"), "line (.*) of '(.*)' gives .* delete the line", delete_line),
}  # fmt: skip
"""What is made, what the error says, and what a reader does then."""


@pytest.mark.parametrize("name", CASES)
def test_who_follows_advice_comes_to_a_data_set(tmp_path, name):
    make, said, follow = CASES[name]
    root, options = tmp_path / "set", DataOptions()
    make(root)
    for _ in range(3):  # the same advice again, of another folder
        with pytest.raises(UserError) as error:
            open_source(str(root), options)
        found = re.search(said, str(error.value))
        assert found, error.value
        done = follow(root, found)
        root = done if isinstance(done, Path) and done.is_relative_to(tmp_path / "set") else root
        options = done if isinstance(done, DataOptions) else options
        if is_read(root, options):
            return
    pytest.fail("advice without an end")


def is_read(root: Path, options: DataOptions) -> bool:
    try:
        return len(open_source(str(root), options).classes) > 1
    except UserError:
        return False


def test_a_class_of_files_with_other_suffixes_can_be_renamed(tmp_path):
    tree(cat=3, dog=0)(tmp_path / "set")
    for i in range(2):
        image(tmp_path / "set" / "dog" / f"{i}.png", i).rename(tmp_path / "set" / "dog" / f"{i}.download")
    with pytest.raises(UserError, match=r"by their suffixes \(2 \.download\), .* rename them to \.jpg"):
        open_source(str(tmp_path / "set"))
    for file in (tmp_path / "set" / "dog").iterdir():
        file.rename(file.with_suffix(".jpg"))
    assert open_source(str(tmp_path / "set")).classes == ("cat", "dog")
