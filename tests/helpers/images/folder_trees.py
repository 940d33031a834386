"""Folders of images drawn at random: a labelled set in a known layout, then changes that people and systems make."""

import io
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from trainables.common.escaping import decodable

Draw = Callable[[st.SearchStrategy[Any]], Any]
PLAIN_CLASSES = (
    "cat", "dog", "Große Katze", "0", "10", "n01440764", "no-helmet", "日本", "a b", "x.y", "Ünïcode", "it's", "(1)",
    "=1+1", "-x", "$5", "ROSE", "été", "cat_2", "hold", "%20", "with,comma", "tab", "contest", "trainer", "valley",
)  # fmt: skip
ODD_CLASSES = (
    "train", "test", "val", "images", "mask", "labels", "all", "unknown", "Dev", "fold1", "fold2", "set_1", "photos",
    "color", "grayscale", "results", "data", "cat ", "Cat", "CAT", "e\u0301te", "test_class", "data.csv", "a.jpg",
    "winner", "runs", "meta", "samples", "docs", "1", "2", "archive", "thumbs", "part1", "part2",
)  # fmt: skip
SPELLINGS = {
    "train": ("train", "training", "training_set", "train_images", "train-data", "trainset", "TrainImages", "01_train"),
    "val": ("val", "valid", "validation", "dev", "val_set", "valid_images", "validationData"),
    "test": ("test", "testing", "test_set", "holdout", "hold-out", "eval", "test images", "testset"),
}
CASES: tuple[Callable[[str], str], ...] = (str, str.lower, str.upper, str.title)
FORMS = {
    ".png": "PNG", ".PNG": "PNG", ".jpg": "JPEG", ".JPG": "JPEG", ".jpeg": "JPEG", ".jfif": "JPEG", ".jpe": "JPEG",
    ".webp": "WEBP", ".bmp": "BMP", ".gif": "GIF", ".tif": "TIFF", ".avif": "AVIF", ".jp2": "JPEG2000", "": "PNG",
}  # fmt: skip
JUNK = (
    "__MACOSX", ".DS_Store", "Thumbs.db", "@eaDir", "lost+found", "System Volume Information", ".ipynb_checkpoints",
    "desktop.ini", "$RECYCLE.BIN", "._cat.png", "#recycle",
)  # fmt: skip


@cache
def content(suffix: str) -> bytes:
    """A tiny image in the format of a suffix."""
    out = io.BytesIO()
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(out, FORMS[suffix])
    return out.getvalue()


def put(file: Path, data: bytes = b"x") -> Path:
    """Write a file, with the folders above it; one that is there stays."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not os.path.lexists(file):
        file.write_bytes(data)
    return file


@dataclass
class MadeTree:
    """A folder of images, and what it truly holds."""

    root: Path
    """The data folder."""
    truth: dict[str, dict[str, str]] = field(default_factory=dict)
    """Class of each image by its path, of each split."""
    holders: dict[str, Path] = field(default_factory=dict)
    """The folder that holds the class folders of each split."""
    changes: list[str] = field(default_factory=list)
    """Names of the changes that were made."""
    base: Path = Path()
    """The folder that holds the splits."""

    def add(self, split: str, folder: str, name: str, suffix: str = ".png") -> Path:
        """An image of a class."""
        file = put(self.holders[split] / folder / f"{name}{suffix}", content(suffix))
        self.truth[split][str(file)] = decodable(Path(folder).parts[0])
        return file

    def files(self, split: str) -> list[str]:
        return sorted(self.truth[split])


def make_set(draw: Draw, root: Path, names: st.SearchStrategy[str]) -> MadeTree:
    """A labelled set in a known layout: splits or not, in any form and case, wrapped, doubled, with any suffix."""
    base = root
    for _ in range(draw(st.integers(0, 2))):
        base /= draw(st.sampled_from(["archive", "dataset", "Flowers", "images", "my data", "Set-2"]))
    tree = MadeTree(root, base=base)
    classes = draw(st.lists(names, min_size=2, max_size=4, unique_by=lambda name: decodable(name).casefold()))
    others = draw(st.sampled_from([(), ("test",), ("val",), ("val", "test"), None]))
    doubled, change = draw(st.booleans()), draw(st.sampled_from(CASES))
    for split in ("train", *(others or ())):
        spelled = change(draw(st.sampled_from(SPELLINGS[split])))
        tree.holders[split] = base if others is None else base / spelled / spelled if doubled else base / spelled
        tree.truth[split] = {}
        for name in classes:
            for i in range(draw(st.integers(1, 2))):
                tree.add(split, name, f"{split}{i}", draw(st.sampled_from(list(FORMS))))
    return tree


def litter(draw: Draw, tree: MadeTree) -> None:
    """What systems, tools and people leave anywhere, which is no part of the set."""
    place = Path(draw(st.sampled_from(places(tree))))
    kind = draw(st.sampled_from(["junk", "text", "results", "format"]))
    if kind == "junk":
        name = draw(st.sampled_from(CASES))(draw(st.sampled_from(JUNK)))
        put(place / name / "train" / "cat" / "a.png", content(".png")) if "." not in name[1:] else put(place / name)
    elif kind == "results":
        folder = place / draw(st.sampled_from(["results", "my run", "out"])) / "one"
        put(folder / "search.json")
        put(folder / "search.log")
        put(folder / "winner" / "confusion.png", content(".png"))
    else:
        put(place / ("notes.txt" if kind == "text" else "raw.CR2"))


def places(tree: MadeTree) -> list[str]:
    """The data folder, and all folders down to those of classes."""
    found = {str(tree.root), str(tree.base), *map(str, tree.holders.values())}
    return sorted(found | {str(Path(file).parent) for files in tree.truth.values() for file in files})


def _loose_image(draw: Draw, tree: MadeTree) -> None:
    place = Path(draw(st.sampled_from(sorted({str(tree.base), *map(str, tree.holders.values())}))))
    put(place / "loose.png", content(".png"))


def _flat_test(draw: Draw, tree: MadeTree) -> None:
    for i in range(3):
        put(tree.base / draw(st.sampled_from(SPELLINGS["test"])) / f"{i}.png", content(".png"))


def _second_split(draw: Draw, tree: MadeTree) -> None:
    split = draw(st.sampled_from(list(SPELLINGS)))
    folder = tree.base / draw(st.sampled_from(SPELLINGS[split]))
    is_new = split not in tree.truth and tree.holders["train"] != tree.base
    for name in sorted({Path(file).relative_to(tree.holders["train"]).parts[0] for file in tree.truth["train"]}):
        file = put(folder / name / "second.png", content(".png"))
        if is_new or folder == tree.holders.get(split):
            tree.truth.setdefault(split, {})[str(file)] = decodable(name)
            tree.holders[split] = tree.holders.get(split, folder)


def _renamed_class(draw: Draw, tree: MadeTree) -> None:
    if not tree.truth["train"]:
        return
    holder = tree.holders["train"]
    folder = holder / Path(draw(st.sampled_from(tree.files("train")))).relative_to(holder).parts[0]
    new = folder.with_name(draw(st.sampled_from([folder.name.swapcase(), f"{folder.name} ", *ODD_CLASSES])))
    if os.path.lexists(new):
        return
    folder.rename(new)
    for file in [file for file in tree.files("train") if Path(file).is_relative_to(folder)]:
        del tree.truth["train"][file]
        tree.truth["train"][str(new / Path(file).relative_to(folder))] = decodable(new.name)


def _lost_images(draw: Draw, tree: MadeTree) -> None:
    split = draw(st.sampled_from(list(tree.truth)))
    if tree.truth[split]:
        folder = Path(draw(st.sampled_from(tree.files(split)))).parent
        for file in [file for file in tree.files(split) if Path(file).parent == folder]:
            Path(file).unlink()
            del tree.truth[split][file]
        if draw(st.booleans()) and not any(folder.iterdir()):
            folder.rmdir()


def _empty_folder(draw: Draw, tree: MadeTree) -> None:
    name = draw(st.sampled_from(["empty", "train", "val", "Test", "labels", "new class"]))
    (Path(draw(st.sampled_from(places(tree)))) / name).mkdir(exist_ok=True)


def _other_folder(draw: Draw, tree: MadeTree) -> None:
    name = draw(st.sampled_from(["annotations", "masks", "docs", "labels", "notebooks", "Meta", "extra", "figures"]))
    file = draw(st.sampled_from(["a.png", "a.txt", "a.csv", "inner/a.png"]))
    place = Path(draw(st.sampled_from(places(tree))))
    if os.path.lexists(place / name / file):
        return
    made = put(place / name / file, content(".png"))
    for split, holder in tree.holders.items():
        if file.endswith(".png") and made.is_relative_to(holder):  # it may be a class, or part of one
            tree.truth[split][str(made)] = decodable(made.relative_to(holder).parts[0])


def _inner_folder(draw: Draw, tree: MadeTree) -> None:
    split = draw(st.sampled_from(list(tree.truth)))
    if tree.truth[split]:
        file = Path(draw(st.sampled_from(tree.files(split))))
        inner = draw(st.sampled_from(["part 1", "images", "2020", "train", "cat", file.parent.name]))
        new = file.parent / inner / file.name
        new.parent.mkdir(exist_ok=True)
        file.rename(new)
        tree.truth[split][str(new)] = tree.truth[split].pop(str(file))


def _bad_image(draw: Draw, tree: MadeTree) -> None:
    split = draw(st.sampled_from(list(tree.truth)))
    if tree.truth[split]:
        file = draw(st.sampled_from(tree.files(split)))
        Path(file).write_bytes(draw(st.sampled_from([b"", b"<html>", b"nothing", b"\x89PNG\r\n\x1a\nno"])))
        del tree.truth[split][file]


def _second_copy(_draw: Draw, tree: MadeTree) -> None:
    for file in tree.files("train"):
        put(tree.base / "copy" / Path(file).relative_to(tree.base), content(".png"))


def _link(draw: Draw, tree: MadeTree) -> None:
    split = draw(st.sampled_from(list(tree.truth)))
    outside = put(tree.root.parent / "outside" / "cat" / "a.png", content(".png"))
    inside = [file for files in tree.truth.values() for file in sorted(files)] or [str(outside)]
    target = draw(
        st.sampled_from(["nowhere", str(tree.root), str(tree.holders[split]), str(outside), str(outside.parent)])
        | st.sampled_from(inside)
    )
    place = Path(draw(st.sampled_from(places(tree)))) / draw(st.sampled_from(["link", "link.png", "train", "test"]))
    if not os.path.lexists(place):
        place.symlink_to(target)


CHANGES = (
    _loose_image, _flat_test, _second_split, _renamed_class, _lost_images, _empty_folder, _other_folder, _inner_folder,
    _bad_image, _second_copy, _link,
)  # fmt: skip
"""Changes that may make a set ambiguous or unusable."""


def change(draw: Draw, tree: MadeTree) -> None:
    """One change at random, of which the tree keeps the name; the truth changes with it as far as it can be known."""
    made = draw(st.sampled_from(CHANGES))
    made(draw, tree)
    tree.changes.append(made.__name__)
