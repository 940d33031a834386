"""Parquet files as hubs and people leave them: which split, which column, and what is missing or there twice."""

import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.helpers.images.data_sets import encoded, images
from trainables.common.errors import UserError
from trainables.data.layouts.left_out_counts import count_left_out
from trainables.data.sources.source_registry import open_source

ROWS = 24


def picture(value: int) -> dict:
    return {"bytes": encoded(value), "path": f"{value}.png"}


COLUMNS = {
    "image": [picture(i) for i in range(ROWS)],
    "mask": [picture(200) for _ in range(ROWS)],
    "kind": [i % 2 for i in range(ROWS)],
    "four": [i % 4 for i in range(ROWS)],
    "number": list(range(ROWS)),
    "text": ["cat" if i % 2 else "dog" for i in range(ROWS)],
}
"""What columns hold, by what they are."""


def write(file: Path, columns: dict[str, str], features: dict | None = None, rows: int = ROWS) -> Path:
    """Write a table of columns by name, each of a kind in `COLUMNS`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({name: COLUMNS[kind] for name, kind in columns.items()}).slice(0, rows)
    if features:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, file)
    return file


PLAIN = {"image": "image", "label": "kind"}
IMAGE, CLASSES = {"_type": "Image"}, {"_type": "ClassLabel", "names": ["no", "yes"]}


@pytest.mark.parametrize(
    ("columns", "features", "taken"),
    [
        (PLAIN, None, ("image", "label")),
        ({"img": "image", "coarse_label": "kind", "fine_label": "four"}, None, ("img", "fine_label")),
        ({"image_id": "number", "image": "image", "width": "four", "category": "kind"}, None, ("image", "category")),
        ({"annotation": "mask", "image": "image", "scene_category": "kind"}, None, ("image", "scene_category")),
        ({"segmentation_mask": "mask", "photo": "image", "species": "kind"}, None, ("photo", "species")),
        ({"label": "mask", "image": "image", "class": "kind"}, None, ("image", "class")),
        ({"id": "number", "image": "image", "healthy": "kind"}, {"healthy": CLASSES}, ("image", "healthy")),
        ({"a": "image", "label": "four", "sick": "kind"}, {"a": IMAGE, "sick": CLASSES}, ("a", "sick")),
        ({"digit": "kind", "image": "image"}, None, ("image", "digit")),
        ({"idx": "number", "label": "text", "image": "image"}, None, ("image", "label")),
        ({"label": "kind", "label_count": "four", "image": "image", "image_2": "mask"}, None, ("image", "label")),
    ],
)
def test_columns_are_chosen_by_metadata_type_and_name_in_any_order(tmp_path, columns, features, taken):
    for seed in range(3):
        names = list(columns)
        random.Random(seed).shuffle(names)
        root = tmp_path / str(seed)
        write(root / "train-00000-of-00001.parquet", {name: columns[name] for name in names}, features)
        raw = open_source(str(root))
        assert tuple(raw.layout.columns.values()) == taken
        assert sorted(set(raw.parts["train"].labels.tolist())) == list(range(len(raw.classes)))
        assert raw.parts["train"].decode(3).ravel()[0] == 3


@pytest.mark.parametrize(
    ("columns", "named"),
    [
        ({"image": "image", "category": "kind", "class": "four"}, ["'category' or 'class'", "--label-column category"]),
        ({"front": "image", "back": "image", "label": "kind"}, ["'front' or 'back'", "--image-column front"]),
        ({"image": "image", "image_id": "number", "width": "four"}, ["label column", "image_id (int64)"]),
        ({"mask": "mask", "label": "kind"}, ["named like masks", "--image-column mask"]),
        ({"pixels": "number", "label": "kind"}, ["needs an image column", "pixels (int64)"]),
        ({"image": "image", "serial": "number"}, ["'serial' has 24 different values"]),
        ({"image": "image", "age": "four", "grade": "kind"}, ["'age' or 'grade'"]),
    ],
)
def test_columns_that_are_not_sure_are_named(tmp_path, columns, named):
    write(tmp_path / "train.parquet", columns)
    with pytest.raises(UserError) as error:
        open_source(str(tmp_path))
    assert all(part in str(error.value) for part in named), error.value
    assert "\n" not in str(error.value)


def test_labels_in_text_go_by_name_in_every_split(tmp_path):
    write(tmp_path / "train.parquet", {"image": "image", "label": "text"})
    write(tmp_path / "test.parquet", {"image": "image", "label": "text"}, rows=1)
    raw = open_source(str(tmp_path))
    assert raw.classes == ("cat", "dog")
    assert raw.parts["test"].labels.tolist() == [1]
    table = pq.read_table(tmp_path / "test.parquet").set_column(1, "label", pa.array(["bird"]))
    pq.write_table(table, tmp_path / "test.parquet")
    with pytest.raises(UserError, match="no image of train has the label 'bird'"):
        open_source(str(tmp_path))


@pytest.mark.parametrize(
    "files",
    [
        ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet", "test-00000-of-00001.parquet"],
        ["data/train-00000-of-00002-0a1b.parquet", "data/train-00001-of-00002-0a1b.parquet", "data/test-0.parquet"],
        ["plain_text/train-00000-of-00001.parquet", "plain_text/test-00000-of-00001.parquet"],
        ["default/train/0000.parquet", "default/train/0001.parquet", "default/test/0000.parquet"],
        ["data/training/0000.parquet", "data/testing/0000.parquet"],
        ["Train.parquet", "TEST.parquet"],
        ["train_00.parquet", "train_01.parquet", "holdout.parquet"],
        ["train.parquet", "test.parquet", "extra.parquet"],
    ],
)
def test_splits_are_found_by_the_names_of_files_or_folders(tmp_path, files):
    for file in (*files, ".hidden.parquet"):
        write(tmp_path / "set" / file, PLAIN)
    raw = open_source(str(tmp_path / "set"))
    count = sum("train" in file.lower() for file in files)
    assert {part: len(found.labels) for part, found in raw.parts.items()} == {"train": count * ROWS, "test": ROWS}
    left_out = {(found.reason, found.kind) for found in count_left_out(raw.layout.left_out)}
    assert left_out == {
        ("hidden", ".hidden.parquet"),
        *([("no split", ".parquet")] if "extra.parquet" in files else []),
    }


@pytest.mark.parametrize("files", [["0000.parquet", "0001.parquet"], ["birds.parquet"], ["data/part-0-of-1.parquet"]])
def test_one_table_without_splits_is_all_there_is(tmp_path, files):
    for file in files:
        write(tmp_path / "set" / file, PLAIN)
    raw = open_source(str(tmp_path / "set"))
    assert {part: len(found.labels) for part, found in raw.parts.items()} == {"train": len(files) * ROWS}


@pytest.mark.parametrize(
    ("files", "named"),
    [
        (["train-00000-of-00001-1f.parquet", "train-00000-of-00002-77.parquet", "train-00001-of-00002-77.parquet"],
         ["two tables of train", "train-00000-of-00001-1f.parquet", "train-00000-of-00002-77.parquet"]),
        (["train.parquet", "train-00000-of-00001.parquet"], ["two tables of train", "'train.parquet'"]),
        (["train-00000-of-00001.parquet", "train-00000-of-00001 (1).parquet"], ["two tables of train", "(1).parquet"]),
        (["train-00000-of-00003.parquet", "train-00002-of-00003.parquet"], ["1 of 3", "'train-00001-of-00003"]),
        (["train-0-of-1.parquet", "test-1-of-3.parquet"], ["of test 2 of 3", "'test-0-of-3.parquet'"]),
        (["x/train/0000.parquet", "x/train/0002.parquet"], ["'0001.parquet'"]),
        (["train.parquet", "val.parquet", "validation.parquet"], ["'val'", "'validation'", "val split"]),
        (["de/train.parquet", "en/train.parquet"], ["several configurations, 'de', 'en'", "set/de'"]),
        (["test.parquet", "val.parquet"], ["no train-*.parquet", "'test.parquet'"]),
        (["cats.parquet", "dogs.parquet"], ["no train-*.parquet", "'cats.parquet', 'dogs.parquet'"]),
    ],
)  # fmt: skip
def test_files_that_are_missing_or_there_twice_are_named(tmp_path, files, named):
    for file in files:
        write(tmp_path / "set" / file, PLAIN)
    with pytest.raises(UserError) as error:
        open_source(str(tmp_path / "set"))
    assert all(part in str(error.value) for part in named), error.value
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 3\n", "is a Git LFS pointer.*git lfs pull"),
        (b"", "is empty"),
        (b"PAR1 and no more", "is cut short, or no parquet file"),
    ],
)
@pytest.mark.parametrize("name", ["train-00000-of-00001.parquet", "test-00000-of-00001.parquet"])
def test_files_that_are_no_tables_are_named(tmp_path, content, said, name):
    for file in ("train-00000-of-00001.parquet", "test-00000-of-00001.parquet"):
        write(tmp_path / file, PLAIN)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name}' {said}"):
        open_source(str(tmp_path))


def test_an_empty_shard_and_a_part_without_labels_are_no_fault(tmp_path):
    write(tmp_path / "train-00000-of-00002.parquet", PLAIN)
    write(tmp_path / "train-00001-of-00002.parquet", PLAIN, rows=0)
    table = pq.read_table(write(tmp_path / "test.parquet", PLAIN))
    pq.write_table(table.set_column(1, "label", pa.array([-1] * ROWS)), tmp_path / "test.parquet")
    raw = open_source(str(tmp_path))
    assert {part: len(found.labels) for part, found in raw.parts.items()} == {"train": ROWS}
    (left_out,) = raw.layout.left_out
    assert (left_out.reason, Path(left_out.path).name) == ("unlabelled split", "test.parquet")


def test_a_table_beside_class_folders_is_no_data_set(tmp_path):
    for name in ("cat", "dog"):
        images(tmp_path / "set" / name, 2)
    write(tmp_path / "set" / "metadata.parquet", {"id": "number"})
    raw = open_source(str(tmp_path / "set"))
    assert raw.classes == ("cat", "dog")
    assert [Path(found.path).name for found in raw.layout.left_out] == ["metadata.parquet"]
