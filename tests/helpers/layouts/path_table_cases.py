"""Tables that name image files, by the row of docs/layouts.md that describes them."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from tests.helpers.images.labelled_tables import image_names, labels_of, make_images
from tests.helpers.layouts.layout_case import LayoutCase
from trainables.data.data_options import DataOptions

NAMES = image_names()
LABELS = labels_of(NAMES)
TRAIN8 = {"train": 8}
Make = Callable[[Path], Path]


def _csv(labels: Mapping[str, str] = LABELS, header: str = "image,label", sep: str = ",") -> str:
    return "".join(f"{sep.join(row)}\n" for row in (header.split(","), *labels.items()))


def _table(text: str = _csv(), name: str = "labels.csv", encoding: str = "utf-8", folder: str = "") -> Make:
    """Images in `folder`, and a table beside it, which is given."""

    def make(root: Path) -> Path:
        make_images(root / folder, NAMES)
        (root / name).write_bytes(text.encode(encoding))
        return root / name

    return make


def _beside(images: str, *tables: tuple[str, str], others: str = "") -> Make:
    """Images in a folder, tables beside it, perhaps other images; the whole is given."""

    def make(root: Path) -> Path:
        make_images(root / images, NAMES)
        if others:
            make_images(root / others, ["t1.png", "t2.png"])
        for name, text in tables:
            (root / name).write_text(text)
        return root

    return make


def _columns(**columns: list[str]) -> str:
    return pd.DataFrame({"image": NAMES, **columns}).to_csv(index=False)


def _lines() -> str:
    return "".join(json.dumps({"image": name, "label": label}) + "\n" for name, label in LABELS.items())


def _parquet(root: Path) -> Path:
    make_images(root, NAMES)
    pd.DataFrame({"path": NAMES, "label": list(LABELS.values())}).to_parquet(root / "labels.parquet")
    return root / "labels.parquet"


def _two_folders(root: Path) -> Path:
    make_images(root / "large", NAMES)
    return _table(folder="small")(root)


def _metadata(root: Path) -> Path:
    for split, names in (("train", NAMES[:6]), ("test", NAMES[6:])):
        make_images(root / split, names)
        (root / split / "metadata.csv").write_text(_csv({name: LABELS[name] for name in names}, "file_name,label"))
    return root


def _class_folders(labels: Mapping[str, str]) -> Make:
    def make(root: Path) -> Path:
        for name, label in LABELS.items():
            make_images(root / label, [name])
        (root / "labels.csv").write_text(_csv({f"{LABELS[name]}/{name}": label for name, label in labels.items()}))
        return root

    return make


def _pixels(root: Path) -> Path:
    root.mkdir()
    frame = pd.DataFrame(np.zeros((8, 64), int), columns=[f"pixel{i}" for i in range(64)])
    frame.insert(0, "label", [0, 1] * 4)
    frame.to_csv(root / "train.csv", index=False)
    return root / "train.csv"


def _outside(root: Path) -> Path:
    make_images(root.parent, ["out.png"])
    return _table(_csv(LABELS | {"../out.png": "cat"}))(root)


IDS = {name.removesuffix(".png"): label for name, label in LABELS.items()}
SWAPPED = {name: ("a", "b")[place // 4] for place, name in enumerate(NAMES)}
ONE_HOT = _columns(healthy=["1", "0"] * 4, rust=["0", "1"] * 4, scab=["0"] * 8)
SPLITS = _columns(label=list(LABELS.values()), split=["Training"] * 4 + ["valid"] * 2 + ["test"] * 2)
UNLABELLED = _columns(label=[*list(LABELS.values())[:6], "", ""], split=["train"] * 6 + ["test"] * 2)
PATH_TABLE_CASES = {
    "table-csv": LayoutCase(_table(folder="img"), "cat dog", TRAIN8),
    "table-separators": LayoutCase(_table(_csv(sep=";"), encoding="utf-16"), "cat dog", TRAIN8),
    "table-latin1": LayoutCase(
        _table(_csv().replace("cat", "chaînon"), encoding="latin-1"), refused="iconv -f latin1 -t utf-8"
    ),
    "table-lines": LayoutCase(_table(_lines(), "labels.jsonl"), "cat dog", TRAIN8),
    "table-parquet": LayoutCase(_parquet, "cat dog", TRAIN8),
    "table-no-header": LayoutCase(_table(_csv(header="001.png,cat")), refused="put a first line with"),
    "table-ids": LayoutCase(
        _table(_csv(IDS, "id,breed"), folder="train"), "cat dog", TRAIN8
    ),
    "table-two-files": LayoutCase(_two_folders, refused="say which folder the names are of: --root"),
    "table-missing-files": LayoutCase(
        _table(_csv(LABELS | {"009.png": "cat"})), refused="or leave these rows out by --on-bad-image skip"
    ),
    "table-skipped-files": LayoutCase(
        _table(_csv(LABELS | {"009.png": "cat"})), "cat dog", TRAIN8, options=DataOptions(on_bad_image="skip")
    ),
    "table-outside": LayoutCase(_outside, refused="--follow-links allows that"),
    "table-http": LayoutCase(_table(_csv(LABELS | {"https://a.example/1.png": "cat"})), refused="download the 1 im"),
    "table-question": LayoutCase(
        _table(_columns(dx=list(LABELS.values()), sex=["m", "f"] * 4)), refused="Give --label-column dx or --label-"
    ),
    "table-one-hot": LayoutCase(_table(ONE_HOT.replace("0,1,0\n", "0,0,1\n", 1)), "healthy rust scab", TRAIN8),
    "table-multi-label": LayoutCase(_table(ONE_HOT.replace("1,0,0", "1,1,0")), refused="keep the rows with one"),
    "table-splits": LayoutCase(_table(SPLITS), "cat dog", {"train": 4, "val": 2, "test": 2}),
    "table-unlabelled": LayoutCase(_table(UNLABELLED), "cat dog", {"train": 6}, frozenset({"unlabelled split"})),
    "table-empty-labels": LayoutCase(
        _table(_csv().replace("003.png,cat", "003.png,")), refused="write their labels, or delete these rows"
    ),
    "table-two-labels": LayoutCase(_table(_csv() + "001.png,dog\n"), refused="keep one row of it"),
    "table-twice": LayoutCase(_table(_csv() + "001.png,cat\n"), "cat dog", TRAIN8, warns="they count once"),
    "table-pixels": LayoutCase(_pixels, refused="are pixels, and a table names image files here; save it as arrays"),
    "kaggle": LayoutCase(
        _beside(
            "train", ("train.csv", _csv(IDS, "id,label")),
            ("sample_submission.csv", _csv({"t1": "cat", "t2": "cat"}, "id,label")), others="test",
        ),
        "cat dog", TRAIN8, frozenset({"no row", "no image"}),
    ),
    "kaggle-two-tables": LayoutCase(
        _beside("images", ("a.csv", _csv()), ("b.csv", _csv(SWAPPED))), refused="which table holds the labels, 'a.csv'"
    ),
    "hub-metadata": LayoutCase(_metadata, "cat dog", {"train": 6, "test": 2}),
    "folders-and-table": LayoutCase(_class_folders(LABELS), "cat dog", TRAIN8, frozenset({"no image"})),
    "folders-against-table": LayoutCase(_class_folders(SWAPPED), refused="the class folders say different labels"),
}  # fmt: skip
"""Each row's name, and its case."""
