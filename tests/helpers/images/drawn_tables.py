"""True labelled sets, written by hypothesis as tables in known forms, with changes that may spoil them."""

import csv
import io
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from hypothesis import strategies as st

from tests.helpers.images.data_sets import encoded

Draw = Callable[[st.SearchStrategy[Any]], Any]
PNG = encoded(120, 8)
PLAIN_LABELS = ("cat", "dog", "golden retriever", "naïve", "叶", "a;b", "x,y", 'say "so"', "07", "True")
FOLDERS = ("", "img", "images/a", "Bilder/ä ö", "deep/er/x", "p.1")
STEMS = ("{:03}", "img_{}", "IMG ({})", "é{}", "a.b.{}", "{}")
IMAGE_NAMES = ("image", "file_name", "filename", "path", "image_id", "Image", "img_path", "id")
LABEL_NAMES = ("label", "class", "Category", "target", "species", "breed", "class_name")
OTHER_COLUMNS = {"width": "640", "photographer": "Ann", "score": "0.25", "": None}
"""Columns that have no purpose; the empty name is that of pandas' index."""


@dataclass
class MadeTable:
    """A table on disk and what it says."""

    file: Path
    truth: dict[str, dict[str, str]]
    """Of each split, the label of each image by its relative path."""
    image: str
    label: str
    changes: list[str] = field(default_factory=list)
    """What was done that may spoil it."""


@dataclass
class DrawnRows:
    """A table before it is written: its header, its rows as text."""

    header: list[str]
    rows: list[list[str]]
    places: dict[str, int]
    """Place of each column, by the name that it had first."""

    def column(self, name: str) -> int:
        return self.places[name]


def make_table(draw: Draw, root: Path, changes: int) -> MadeTable:
    """Images of two to four classes, and the table that labels them; up to so many changes."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    image, label = rng.choice(IMAGE_NAMES), rng.choice(LABEL_NAMES)
    truth = _draw_truth(rng)
    for path in (path for found in truth.values() for path in found):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(PNG)
    made = MadeTable(root / f"labels{rng.choice(SUFFIXES)}", truth, image, label)
    rows = _draw_rows(rng, made, root)
    for change in sorted(rng.sample(sorted(CHANGES), changes), key=list(CHANGES).index):
        made.changes.append(change)
        CHANGES[change](rng, made, rows)
    _write(rng, made, rows)
    return made


def _draw_truth(rng: random.Random) -> dict[str, dict[str, str]]:
    labels = rng.sample(PLAIN_LABELS, rng.randint(2, 4))
    splits = ["train", *(rng.choice([["test"], ["val", "test"]]) if rng.random() < 0.4 else [])]
    folders, stem = rng.sample(FOLDERS, rng.randint(1, 3)), rng.choice(STEMS)
    truth: dict[str, dict[str, str]] = {}
    number = 0
    for split in splits:
        found = truth.setdefault(split, {})
        for name in labels * (3 if split == "train" else 1):
            folder, number = rng.choice(folders), number + 1
            found[f"{folder}/{stem.format(number)}.png".lstrip("/")] = name
    return truth


WRITE_PATH: dict[str, Callable[[str, Path], str]] = {
    "path": lambda path, _root: path,
    "dot": lambda path, _root: f"./{path}",
    "backslashes": lambda path, _root: path.replace("/", "\\"),
    "absolute": lambda path, root: str(root / path),
    "without suffix": lambda path, _root: path.removesuffix(".png"),
    "name": lambda path, _root: path.rpartition("/")[2],
    "id": lambda path, _root: path.rpartition("/")[2].removesuffix(".png"),
}
"""How a table may name an image."""
SPLIT_WORDS = {"train": ("train", "Training", "TRAIN"), "val": ("val", "valid", "dev"), "test": ("test", "Testing")}


def _draw_rows(rng: random.Random, made: MadeTable, root: Path) -> DrawnRows:
    write = WRITE_PATH[rng.choice(sorted(WRITE_PATH))]
    words = {split: rng.choice(names) for split, names in SPLIT_WORDS.items()}
    others = rng.sample(sorted(OTHER_COLUMNS), rng.randint(0, 2))
    columns = [made.image, made.label, *others, *(["split"] if len(made.truth) > 1 else [])]
    cells = []
    for split, found in made.truth.items():
        for path, name in found.items():
            cells.append({made.image: write(path, root), made.label: name, "split": words[split]})
    rng.shuffle(cells)
    rng.shuffle(columns)
    rows = [[row.get(name) or OTHER_COLUMNS.get(name) or str(i) for name in columns] for i, row in enumerate(cells)]
    return DrawnRows(columns, rows, {name: place for place, name in enumerate(columns)})


def _other_row(rng: random.Random, rows: DrawnRows) -> list[str]:
    return list(rng.choice(rows.rows))


def _missing_file(rng: random.Random, made: MadeTable, rows: DrawnRows) -> None:
    rng.choice(rows.rows)[rows.column(made.image)] = "no/such file.png"


def _empty_label(rng: random.Random, made: MadeTable, rows: DrawnRows) -> None:
    rng.choice(rows.rows)[rows.column(made.label)] = rng.choice(["", " ", "nan"])


def _empty_image(rng: random.Random, made: MadeTable, rows: DrawnRows) -> None:
    rng.choice(rows.rows)[rows.column(made.image)] = ""


def _twice(rng: random.Random, made: MadeTable, rows: DrawnRows) -> None:
    rows.rows.append(_other_row(rng, rows))


def _two_labels(rng: random.Random, made: MadeTable, rows: DrawnRows) -> None:
    row = _other_row(rng, rows)
    row[rows.column(made.label)] = "another"
    rows.rows.append(row)


def _spaces(rng: random.Random, made: MadeTable, rows: DrawnRows) -> None:
    for row in rows.rows:
        row[rows.column(made.label)] += rng.choice(["", " ", "\t "])


def _no_header(rng: random.Random, made: MadeTable, rows: DrawnRows) -> None:
    rows.header[:] = rows.rows.pop(0)


def _odd_names(rng: random.Random, made: MadeTable, rows: DrawnRows) -> None:
    rows.header[rows.column(made.label)] = rng.choice(["dx", "x1", "?", "名"])


def _ragged(rng: random.Random, made: MadeTable, rows: DrawnRows) -> None:
    rng.choice(rows.rows).pop()


def _odd_split(rng: random.Random, made: MadeTable, rows: DrawnRows) -> None:
    if "split" in rows.places:
        rng.choice(rows.rows)[rows.column("split")] = rng.choice(["", "extra", "train/test"])


def _second_label(rng: random.Random, made: MadeTable, rows: DrawnRows) -> None:
    rows.header.append("labels")
    for row in rows.rows:
        row.append(rng.choice(["a", "b"]))


def _outside(rng: random.Random, made: MadeTable, rows: DrawnRows) -> None:
    (made.file.parent.parent / "out.png").write_bytes(PNG)
    rng.choice(rows.rows)[rows.column(made.image)] = "../out.png"


def _url(rng: random.Random, made: MadeTable, rows: DrawnRows) -> None:
    rng.choice(rows.rows)[rows.column(made.image)] = "https://example.org/1.png"


def _control(rng: random.Random, made: MadeTable, rows: DrawnRows) -> None:
    place = rng.choice([place for place in range(len(rows.header)) if place != rows.column(made.label)])
    rng.choice(rows.rows)[place] = rng.choice(["a\nb", "\x1b[31m", "=1+1", "\u202e", "x" * 300])


def _odd_header(rng: random.Random, made: MadeTable, rows: DrawnRows) -> None:
    rows.header[rng.randrange(len(rows.header))] = rng.choice(["a\x1b[31m", "\u202e", "a b ' \"", "x" * 300])


def _damaged_image(rng: random.Random, made: MadeTable, rows: DrawnRows) -> None:
    path = rng.choice(sorted(made.truth["train"]))
    (made.file.parent / path).write_bytes(b"no image")


def _twin_name(rng: random.Random, made: MadeTable, rows: DrawnRows) -> None:
    path = rng.choice(sorted(made.truth["train"]))
    other = made.file.parent / "copies" / path.rpartition("/")[2]
    other.parent.mkdir(exist_ok=True)
    other.write_bytes(PNG)


CHANGES: dict[str, Callable[[random.Random, MadeTable, DrawnRows], None]] = {
    "a missing file": _missing_file, "an empty label": _empty_label, "an empty image": _empty_image,
    "a row twice": _twice, "two labels": _two_labels, "spaces": _spaces,
    "an odd name of the label column": _odd_names, "an odd split": _odd_split,
    "a second label column": _second_label, "a path out of the folder": _outside, "a URL": _url,
    "a control character": _control, "a damaged image": _damaged_image, "a twin in another folder": _twin_name,
    "an odd header": _odd_header, "no header": _no_header, "a ragged row": _ragged,
}  # fmt: skip
HARMLESS = {"a row twice", "spaces"}
"""Changes after which a table is still read as it is meant."""
SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet", ".CSV")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16")


def _write(rng: random.Random, made: MadeTable, rows: DrawnRows) -> None:
    suffix = made.file.suffix.lower()
    if suffix == ".jsonl":
        lines = [
            json.dumps(dict(zip(rows.header, row, strict=False)), ensure_ascii=rng.random() < 0.5) for row in rows.rows
        ]
        made.file.write_text("\n".join(lines) + "\n", encoding=rng.choice(ENCODINGS))
    elif suffix == ".parquet":
        width = len(rows.header)
        frame = pd.DataFrame([(row + [""] * width)[:width] for row in rows.rows])
        frame.columns = [name or f"column {place}" for place, name in enumerate(rows.header)]
        if frame.columns.is_unique:
            frame.to_parquet(made.file)
        else:
            made.file.write_bytes(b"")
    else:
        out = io.StringIO(newline="")
        separator = "\t" if suffix == ".tsv" else rng.choice([",", ";", "\t"])
        quoting = rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
        end = rng.choice(["\n", "\r\n"])
        csv.writer(out, delimiter=separator, quoting=quoting, lineterminator=end).writerows([rows.header, *rows.rows])
        encoding = rng.choice(ENCODINGS)
        made.file.write_bytes(out.getvalue().encode(encoding))
