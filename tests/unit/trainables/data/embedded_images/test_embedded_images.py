"""Tables of images as single files, with columns of splits, groups and weights, of binary, and as Arrow folders."""

import hashlib
import json
import pickle
import shutil
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pytest

from tests.helpers.images.embedded_tables import ROWS, picture, save_splits, save_to_disk, table, write_table
from tests.helpers.images.mutants import mutant
from trainables.common.errors import UserError
from trainables.data.data_options import DataOptions
from trainables.data.decoding.bad_images import BadImageError
from trainables.data.layouts.left_out_counts import count_left_out
from trainables.data.sources.source_registry import open_source
from trainables.data.store.store import open_store, prepare_data

DAMAGED_FILES = 100
LABELS = [0, 1] * (ROWS // 2)
NAMES = {"label": {"_type": "ClassLabel", "names": ["cat", "dog"]}}
COLUMNS = {
    "label": LABELS,
    "part": ["Training"] * 16 + ["valid"] * 4 + ["TEST"] * 4,
    "patient": [f"p{i // 3}" for i in range(ROWS)],
    "weight": [0.5 + i for i in range(ROWS)],
}


def test_a_single_file_is_a_data_set(tmp_path):
    file = write_table(tmp_path / "birds.parquet", table(label=LABELS))
    raw = open_source(str(file))
    assert (raw.layout.sources, len(raw.parts["train"].labels)) == ({"train": "birds.parquet"}, ROWS)
    assert raw.parts["train"].name(3) == f"{file}[3]"
    assert len(raw.sizes) == ROWS


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()], ids=str)
def test_images_may_be_plain_binary(tmp_path, kind):
    content = pa.array([picture(i)["bytes"] for i in range(ROWS)], kind)
    write_table(tmp_path / "train.parquet", pa.table({"jpeg": content, "label": LABELS}))
    part = open_source(str(tmp_path)).parts["train"]
    assert [part.decode(i).ravel()[0] for i in (0, 7, 23)] == [0, 7, 23]


@pytest.mark.parametrize("form", ["file", "shards", "arrow"])
def test_columns_give_each_image_its_split_group_and_weight(tmp_path, form):
    made = table(**COLUMNS)
    if form == "arrow":
        save_to_disk(tmp_path / "set", made, shards=3)
    elif form == "shards":
        for i in range(2):
            write_table(tmp_path / "set" / f"{i:04}.parquet", made.slice(12 * i, 12))
    else:
        write_table(tmp_path / "set", made).rename(tmp_path / "set.parquet")
    place = next(tmp_path.iterdir())
    raw = open_source(str(place), DataOptions(split_column="part", group_column="patient", weight_column="weight"))
    assert {part: len(found.labels) for part, found in raw.parts.items()} == {"train": 16, "val": 4, "test": 4}
    for part, first in (("train", 0), ("val", 16), ("test", 20)):
        found = raw.parts[part]
        rows = range(first, first + len(found.labels))
        assert [found.decode(i).ravel()[0] for i in range(len(rows))] == [*rows]
        assert found.labels.tolist() == [LABELS[row] for row in rows]
        assert found.weights.tolist() == [0.5 + row for row in rows]
        assert len(set(found.groups.tolist())) == len({row // 3 for row in rows})
    assert raw.group_names[raw.parts["train"].groups[15]] == "p5"
    assert raw.parts["train"].groups[15] == raw.parts["val"].groups[0], "patient 5 is in both"
    assert raw.layout.sources["val"] == "rows of val"
    assert raw.layout.columns == {
        "image": "image", "label": "label", "split": "part", "group": "patient", "weight": "weight",
    }  # fmt: skip


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_groups_are_found_in_the_paths_that_structs_name(tmp_path, form):
    if form == "arrow":
        save_to_disk(tmp_path / "set", table(label=LABELS), shards=2)
    else:
        write_table(tmp_path / "set" / "train.parquet", table(label=LABELS))
    raw = open_source(str(tmp_path / "set"), DataOptions(group_by=r"^\d"))
    assert raw.parts["train"].path(13) == "13.png"
    names = [raw.group_names[number] for number in raw.parts["train"].groups]
    assert names == [str(i)[0] for i in range(ROWS)]
    assert open_source(str(tmp_path / "set")).parts["train"].path is None


def test_images_without_paths_have_no_groups_by_them(tmp_path):
    content = pa.array([picture(i)["bytes"] for i in range(ROWS)])
    write_table(tmp_path / "train.parquet", pa.table({"image": content, "label": LABELS}))
    with pytest.raises(UserError, match="have no paths"):
        open_source(str(tmp_path), DataOptions(group_by="a"))


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("split", ["train", "dog"] * 12, "holds 'dog', which means no split; write train, val or test"),
        ("split", ["train", None] * 12, "is empty in row 1"),
        ("split", ["test"] * ROWS, "has no row of train"),
        ("weight", [1.0, -1.0] * 12, "holds -1.0 in row 1 of train; a weight is a number of at least 0"),
        ("weight", ["1"] * ROWS, "holds '1' in row 0"),
        ("weight", [None] * ROWS, "holds None in row 0"),
        ("weight", [0] * ROWS, "is 0 in all rows of train"),
    ],
    ids=["unknown split", "no split", "no train", "negative", "text", "null", "zero"],
)
def test_columns_with_other_content_are_refused(tmp_path, column, values, said):
    file = write_table(tmp_path / "a.parquet", table(label=LABELS, extra=values))
    with pytest.raises(UserError) as error:
        open_source(str(file), DataOptions(**{f"{column}_column": "extra"}))
    assert said in str(error.value)


def test_paths_in_place_of_images_are_said(tmp_path):
    made = pa.table({"image": [{"bytes": None, "path": f"a/{i}.png"} for i in range(ROWS)], "label": LABELS})
    made = made.set_column(0, "image", made["image"].cast(pa.struct({"bytes": pa.binary(), "path": pa.string()})))
    write_table(tmp_path / "train.parquet", made)
    with pytest.raises(UserError, match=r"holds paths such as 'a/0\.png', not the images themselves"):
        open_source(str(tmp_path))


def test_a_part_of_an_arrow_folder_goes_to_other_processes(tmp_path):
    part = open_source(str(save_to_disk(tmp_path / "set", table(label=LABELS), shards=2))).parts["train"]
    again = pickle.loads(pickle.dumps(part.decode))
    assert [again(i).ravel()[0] for i in (23, 0, 12)] == [23, 0, 12]


def test_splits_of_save_to_disk_are_read_with_the_names_of_their_classes(tmp_path):
    root = save_splits(
        tmp_path / "set", {"train": table(label=LABELS), "test": table(4, label=[0, 1, 0, 1])}, features=NAMES
    )
    (root / "train" / "cache-0123.arrow").write_bytes(b"from an earlier map")
    raw = open_source(str(root))
    assert raw.classes == ("cat", "dog")
    assert raw.layout.sources == {
        "train": "train/data-00000-of-00001.arrow",
        "test": "test/data-00000-of-00001.arrow",
    }
    assert {part: len(found.labels) for part, found in raw.parts.items()} == {"train": ROWS, "test": 4}
    assert [(found.reason, found.kind) for found in count_left_out(raw.layout.left_out)] == [("no split", ".arrow")]


def test_splits_that_were_saved_one_by_one_are_found_by_their_folders(tmp_path):
    for name in ("training", "validation"):
        save_to_disk(tmp_path / "set" / name, table(label=LABELS))
    assert sorted(open_source(str(tmp_path / "set")).parts) == ["train", "val"]


def _cut(file):
    file.write_bytes(file.read_bytes()[:-300])


FIRST = "train/data-00000-of-00002.arrow"
BROKEN = {
    "cut short": (lambda root: _cut(root / FIRST), f"{FIRST}' is cut short or damaged"),
    "empty": (lambda root: (root / FIRST).write_bytes(b""), f"{FIRST}' is empty"),
    "pointer": (lambda root: (root / FIRST).write_text("version https://git-lfs.github.com/spec/v1"), "git lfs pull"),
    "missing file": (lambda root: (root / FIRST).unlink(), "1 of 2 files are missing: 'data-00000-of-00002.arrow'"),
    "missing split": (lambda root: shutil.rmtree(root / "test"), "has no split 'test', which dataset_dict.json names"),
    "no state": (lambda root: (root / "test/state.json").unlink(), "has no split 'test'"),
    "broken state": (lambda root: (root / "train/state.json").write_text("{"), "state.json': is no JSON"),
    "outside": (
        lambda root: (root / "train/state.json").write_text(json.dumps({"_data_files": [{"filename": "../x.arrow"}]})),
        "names no Arrow files of this folder",
    ),
    "no train": (
        lambda root: (root / "dataset_dict.json").write_text(json.dumps({"splits": ["test"]})),
        "none of which is named train; give one of them alone",
    ),
    "twice": (
        lambda root: (
            (root / "train").rename(root / "training"), shutil.copytree(root / "training", root / "train"),
            (root / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "training"]})),
        ),
        "'train', 'training' all mean the train split",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_a_fault_of_an_arrow_folder_is_named(tmp_path, fault):
    spoil, said = BROKEN[fault]
    root = save_splits(tmp_path / "set", {"train": table(label=LABELS), "test": table(label=LABELS)}, shards=2)
    spoil(root)
    with pytest.raises(UserError) as error:
        open_source(str(root))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_a_damaged_file_is_read_or_named_in_one_line(tmp_path, form):
    """A process that reads wrong offsets of Arrow files would be killed, so these are checked first."""
    root = tmp_path / "set"
    if form == "arrow":
        file = save_to_disk(root, table(label=LABELS)) / "data-00000-of-00001.arrow"
    else:
        file = write_table(root / "train.parquet", table(label=LABELS))
    content, rng, refused = file.read_bytes(), np.random.default_rng(0), list[str]()
    for _ in range(DAMAGED_FILES):
        file.unlink()  # an earlier one is mapped into memory
        file.write_bytes(mutant(content, rng))
        try:
            part = open_source(str(root)).parts["train"]
            for row in range(len(part.labels)):
                with suppress(BadImageError):
                    part.decode(row)
        except UserError as error:
            refused.append(str(error))
    assert len(refused) > DAMAGED_FILES / 4
    assert not any("\n" in said for said in refused)


def test_the_identity_of_parquet_files_is_that_of_earlier_stores(tmp_path):
    """Stores that were built before are found again: by columns, and by names, sizes and times of the files."""

    file = write_table(tmp_path / "data" / "train-00000-of-00001.parquet", table(label=LABELS))
    stat = file.stat()
    digest = hashlib.blake2b(b"image label\n", digest_size=16)
    digest.update(f"train data/{file.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    assert open_source(str(tmp_path)).identity == f"parquet {digest.hexdigest()}"
    assert np.array_equal(open_source(str(tmp_path)).parts["train"].labels, LABELS)


def test_a_store_is_the_same_from_parquet_and_arrow_and_made_again_by_its_options(tmp_path, monkeypatch):
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "cache"))
    options = DataOptions(split_column="part", group_column="patient", weight_column="weight")
    places = (write_table(tmp_path / "a.parquet", table(**COLUMNS)), save_to_disk(tmp_path / "b", table(**COLUMNS)))
    first, second = (prepare_data(str(place), options=options) for place in places)
    assert (first.train, first.val, first.test) == (16, 4, 4)
    assert first.fingerprint == second.fingerprint
    shutil.rmtree(second.path)
    assert open_store(second).summary.fingerprint == second.fingerprint
