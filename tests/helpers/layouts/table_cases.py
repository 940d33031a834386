"""Tables of paths, tables of images and arrays, by the row of docs/layouts.md that describes them."""

import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa

from tests.helpers.images.data_sets import images
from tests.helpers.images.embedded_tables import ROWS, save_splits, save_to_disk, table, write_table
from tests.helpers.layouts.layout_case import LayoutCase
from trainables.data.data_options import DataOptions

TEXTS = ["cat", "dog"] * (ROWS // 2)


def _parquet(*names: str, **columns: object):
    def make(root: Path) -> None:
        for name in names:
            write_table(root / name, table(**({"label": TEXTS} | columns)))

    return make


def _other_names(root: Path) -> None:
    for split, names in (("train", ["cat", "dog"]), ("test", ["dog", "cat"])):
        features = {"label": {"_type": "ClassLabel", "names": names}}
        write_table(root / f"{split}.parquet", table(features=features, label=[0, 1] * (ROWS // 2)))


def _other_columns(root: Path) -> None:
    write_table(root / "train-0-of-2.parquet", table(label=TEXTS))
    write_table(root / "train-1-of-2.parquet", table(species=TEXTS))


def _single_parquet(root: Path) -> Path:
    return write_table(root / "birds.parquet", table(label=TEXTS))


def _gaps(root: Path) -> None:
    write_table(root / "train.parquet", table(label=[3, 7] * (ROWS // 2)))


def _two_labels(root: Path) -> None:
    write_table(root / "train.parquet", table(category=TEXTS, kind_class=TEXTS))


def _columns(root: Path) -> Path:
    splits = ["train"] * 16 + ["test"] * 8
    return write_table(root / "a.parquet", table(label=TEXTS, part=splits, person=[i // 3 for i in range(ROWS)]))


def _pointer(root: Path) -> None:
    _parquet("train-00000-of-00001.parquet")(root)
    (root / "test-00000-of-00001.parquet").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")


def _half_written(root: Path) -> None:
    _parquet("train-00000-of-00001.parquet")(root)
    file = root / "train-00000-of-00001.parquet"
    file.write_bytes(file.read_bytes()[:-100])


def _paths_in_structs(root: Path) -> None:
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    image = pa.array([{"bytes": None, "path": f"{i}.png"} for i in range(ROWS)], kind)
    write_table(root / "train.parquet", pa.table({"image": image, "label": TEXTS}))


def _saved_splits(root: Path) -> None:
    save_splits(root, {"train": table(label=TEXTS), "test": table(4, label=TEXTS[:4])})


def _cache(root: Path) -> None:
    _saved(root)
    (root / "state.json").unlink()


def _saved(root: Path) -> None:
    save_to_disk(root, table(label=TEXTS), shards=2)


def _arrays(root: Path) -> Path:
    root.mkdir()
    pixels = np.zeros((8, 8, 8, 3), np.uint8)
    np.savez(root / "a.npz", x_train=pixels, y_train=np.arange(8) % 2, x_test=pixels, y_test=np.arange(8) % 2)
    return root / "a.npz"


def _zipped(root: Path) -> Path:
    root.mkdir()
    images(root / "cat", 2)
    with zipfile.ZipFile(root.parent / "pets.zip", "w") as packed:
        packed.write(root / "cat" / "cat0.png", "pets/cat/cat0.png")
    return root.parent / "pets.zip"


def _web_dataset(root: Path) -> None:
    (found,) = images(root.parent / "cat", 1)
    root.mkdir()
    (root.parent / "0.cls").write_text("1")
    with tarfile.open(root / "train-0000.tar", "w") as packed:
        packed.add(found, "0.png")
        packed.add(root.parent / "0.cls", "0.cls")


def _json_state(root: Path) -> None:
    _saved_splits(root)
    (root / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test", "validation"]}))


TABLE_CASES = {
    "parquet-shards": LayoutCase(
        _parquet("train-00000-of-00002.parquet", "train-00001-of-00002.parquet", "test-00000-of-00001.parquet"),
        "cat dog", {"train": 2 * ROWS, "test": ROWS},
    ),
    "parquet-configuration": LayoutCase(
        _parquet("plain_text/train-00000-of-00001.parquet", "plain_text/test-00000-of-00001.parquet"),
        "cat dog", {"train": ROWS, "test": ROWS},
    ),
    "parquet-split-folders": LayoutCase(
        _parquet("default/train/0000.parquet", "default/test/0000.parquet"), "cat dog", {"train": ROWS, "test": ROWS}
    ),
    "parquet-configurations": LayoutCase(
        _parquet("de/train.parquet", "en/train.parquet"), refused="holds several configurations, 'de', 'en'; give one"
    ),
    "parquet-file": LayoutCase(_single_parquet, "cat dog", {"train": ROWS}),
    "parquet-labels": LayoutCase(_gaps, "3 7", {"train": ROWS}),
    "parquet-columns-given": LayoutCase(
        _columns, "cat dog", {"train": 16, "test": 8}, options=DataOptions(split_column="part", group_column="person")
    ),
    "parquet-columns-unsure": LayoutCase(
        _two_labels, refused="which column holds the labels, 'category' or 'kind_class'? Give one: --label-column"
    ),
    "parquet-missing-shard": LayoutCase(
        _parquet("train-00000-of-00002.parquet"), refused="of train 1 of 2 files are missing: 'train-00001-of-00002"
    ),
    "parquet-stale-shard": LayoutCase(
        _parquet("train-00000-of-00001.parquet", "train-00000-of-00002.parquet", "train-00001-of-00002.parquet"),
        refused="two tables of train side by side",
    ),
    "parquet-other-columns": LayoutCase(_other_columns, refused="has no column 'label'; has 'image', 'species'"),
    "parquet-other-names": LayoutCase(_other_names, refused="a number would mean two classes"),
    "parquet-half-written": LayoutCase(_half_written, refused="is cut short, or no parquet file"),
    "parquet-pointer": LayoutCase(_pointer, refused="`git lfs pull` fetches it"),
    "parquet-paths-only": LayoutCase(_paths_in_structs, refused="holds paths such as '0.png'"),
    "saved-splits": LayoutCase(_saved_splits, "cat dog", {"train": ROWS, "test": 4}),
    "saved-data-set": LayoutCase(_saved, "cat dog", {"train": ROWS}),
    "saved-incomplete": LayoutCase(_json_state, refused="has no split 'validation', which dataset_dict.json names"),
    "arrow-cache": LayoutCase(_cache, refused="holds Arrow files without state.json, as the cache of `datasets` does"),
    "archive": LayoutCase(_zipped, refused="is an archive; unpack it, and give the folder: unzip "),
    "web-dataset": LayoutCase(_web_dataset, refused="in WebDataset's layout; write it as parquet"),
    "arrays": LayoutCase(_arrays, "0 1", {"train": 8, "test": 8}),
}  # fmt: skip
