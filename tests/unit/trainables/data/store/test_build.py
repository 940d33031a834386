"""Building stores: in parallel, cut at any moment, gone on with; and what is refused."""

import dataclasses
import multiprocessing
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.helpers.images.data_sets import write_images, write_parquet
from tests.helpers.recording_reporter import Told
from trainables.common.errors import UserError
from trainables.data.data_options import DataOptions
from trainables.data.decoding.parquet_images import ParquetImages
from trainables.data.sources.source_registry import open_source
from trainables.data.splits import make_splits
from trainables.data.store.building import build
from trainables.data.store.building.chunk import CHUNK_IMAGES, Chunk, ChunkDecoder
from trainables.data.store.building.finished_chunks import FinishedChunk
from trainables.data.store.building.whole_chunks import CHUNK_FILES
from trainables.data.store.store import open_store, prepare_data

BUILD_AND_DIE = """
import multiprocessing, os, signal, sys
from trainables.data.data_options import DataOptions
from trainables.data.store.store import prepare_data

class Killer:
    def progress(self, what, done, total):
        if done >= int(sys.argv[2]):
            print(*(child.pid for child in multiprocessing.active_children()), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

prepare_data(sys.argv[1], Killer(), DataOptions(keep_aspect=True))
"""


def build_and_die(origin: Path, after: int) -> list[int]:
    """Build in a process of its own that SIGKILLs itself after some images; returns the processes that it had."""
    command = [sys.executable, "-c", BUILD_AND_DIE, str(origin), str(after)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return [int(pid) for pid in done.stdout.split()]


def running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


WHOLE = DataOptions(keep_aspect=True)


def parquet_set(root: Path, count: int, sizes: int = 1) -> Path:
    """Grey-level images of 2 classes; levels repeat, so that some occur in two splits."""
    levels = [i % 251 for i in range(count)]
    write_parquet(root / "train-0.parquet", levels, [i % 2 for i in range(count)], sizes=sizes)
    return root


@pytest.mark.parametrize("sizes", [1, 5], ids=["equal", "whole"])
@pytest.mark.parametrize("count", [600, build.PROCESSES_FROM + 100], ids=["threads", "processes"])
def test_a_killed_build_goes_on_to_the_same_store(tmp_path, monkeypatch, count, sizes, logged):
    origin = parquet_set(tmp_path / "set.v2", count, sizes)
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "cut"))
    orphans = build_and_die(origin, after=count // 2)
    assert bool(orphans) == (count >= build.PROCESSES_FROM)
    deadline = time.monotonic() + 10
    while any(map(running, orphans)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(running, orphans)), "decoding processes end with their parent"
    (building,) = (tmp_path / "cut" / "stores").glob("set.v2-*.building")
    finished = len((building / build.FINISHED_CHUNKS_FILE).read_text().splitlines())
    assert finished >= count // 2 // CHUNK_IMAGES

    told = Told()
    # Of many images each level is held out, so that no other image would be left.
    options = WHOLE.model_copy(update={"keep_copies": count >= build.PROCESSES_FROM})
    monkeypatch.setattr(build, "PROCESSES_FROM", 10**9)  # whoever decodes, it is the same store
    resumed = prepare_data(str(origin), told, options)
    assert any(f"resuming from {finished} of " in line for line in logged)
    before = len(logged)
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "whole"))
    whole = prepare_data(str(origin), told, options)
    assert whole.aspect_kept == (sizes > 1)
    assert not any("going on" in line for line in logged[before:])
    assert resumed.model_copy(update={"path": whole.path}) == whole
    assert whole.copies.leaving["train"] > 0
    assert bool(whole.leaked) == options.keep_copies
    assert np.array_equal(open_store(resumed).images, open_store(whole).images)
    assert not (Path(resumed.path) / build.FINISHED_CHUNKS_FILE).exists()
    assert not building.exists()
    assert not list(Path(resumed.path).rglob(CHUNK_FILES))


@pytest.mark.parametrize("sizes", [1, 5], ids=["equal", "whole"])
def test_a_torn_record_and_damaged_pixels_are_decoded_again(tmp_path, monkeypatch, sizes):
    origin = parquet_set(tmp_path / "set", 600, sizes)
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "cut"))
    build_and_die(origin, after=400)
    (building,) = (tmp_path / "cut" / "stores").glob("*.building")
    images = np.memmap(building / "images.npy", mode="r+")
    images[3000] ^= 1
    images.flush()
    record = (building / build.FINISHED_CHUNKS_FILE).read_text()
    (building / build.FINISHED_CHUNKS_FILE).write_text(record[:-5])
    resumed = prepare_data(str(origin), options=WHOLE)
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "whole"))
    assert resumed.fingerprint == prepare_data(str(origin), options=WHOLE).fingerprint


def test_a_finished_chunk_is_not_decoded_again(tmp_path):
    np.lib.format.open_memmap(tmp_path / "images.npy", mode="w+", dtype=np.uint8, shape=(9, 3, 4, 5))
    chunk = Chunk(0, "", 2, "train", "train", np.arange(4))
    pixels = np.random.default_rng(0).integers(0, 256, (4, 4, 5, 3), dtype=np.uint8)
    first = ChunkDecoder(tmp_path, {"train": pixels.__getitem__})(chunk, None)
    assert first.sums.tolist() == [pixels.sum((0, 1, 2)).tolist(), (pixels.astype(int) ** 2).sum((0, 1, 2)).tolist()]

    def refuse(i: int):
        raise UserError(f"{i} is decoded")

    again = ChunkDecoder(tmp_path, {"train": refuse})(chunk, first.to_record(0))
    assert np.array_equal(again.digests, first.digests)
    with pytest.raises(UserError, match="0 is decoded"):
        ChunkDecoder(tmp_path, {"train": refuse})(chunk, FinishedChunk(0, "another digest", {}))


def test_progress_is_told(colour_folder, logged):
    told = Told()
    prepare_data(str(colour_folder), told)
    assert logged[:2] == ["layout: class folders in ./ (80 images), no splits", "2 classes: 'blue', 'red'"]
    assert logged[2] == "images: all 24x20 pixels (width x height), RGB"
    assert logged[3].startswith("preparing colours: decoding 80 images once into")
    assert told.steps[-1] == ("colours: images prepared", 80, 80)


def test_an_image_that_a_process_cannot_decode_is_named(tmp_path, monkeypatch):
    write_images(tmp_path / "bad" / "a", 20, (8, 8), (1, 2, 3))
    write_images(tmp_path / "bad" / "b", 20, (64, 64), (200, 2, 3))
    damaged = tmp_path / "bad" / "b" / "7.png"
    damaged.write_bytes(damaged.read_bytes()[:2000])
    monkeypatch.setattr(build, "PROCESSES_FROM", 1)
    with pytest.raises(UserError, match=r"7\.png"):
        prepare_data(str(tmp_path / "bad"))


def test_a_killed_decoding_process_is_one_line(tmp_path, monkeypatch):
    origin = parquet_set(tmp_path / "set", 600)
    monkeypatch.setattr(build, "PROCESSES_FROM", 1)

    class Killer(Told):
        def progress(self, what: str, done: int, total: int) -> None:
            for child in multiprocessing.active_children():
                child.kill()

    monkeypatch.setattr(build, "CHUNK_IMAGES", 2)
    with pytest.raises(UserError, match=r"'set': .* was killed.* from \S+train\[\d+\] to \S+\[\d+\]; .*resumes"):
        prepare_data(str(origin), Killer())


def test_a_disk_without_room_is_refused(tmp_path):
    raw = dataclasses.replace(open_source("digits"), height=10**12)
    with pytest.raises(UserError, match=r"bytes free, 'digits' needs 14,376,"):
        build.build_store(raw, make_splits(raw)[0], "", tmp_path / "store", Told())


def test_parquet_images_are_read_in_any_order_by_any_process(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = []
    for part in range(2):
        images = [{"bytes": b"%d" % (part * 1000 + i), "path": None} for i in range(1000)]
        files.append(tmp_path / f"train-{part}.parquet")
        pq.write_table(pa.table({"image": images, "label": [0] * 1000}), files[-1], row_group_size=700)
    images = ParquetImages.open(files, "image", "set/train")
    assert [first for _, _, first in images.groups] == [0, 700, 1000, 1700]
    rows = [0, 1, 63, 64, 699, 700, 1999, 5, 1000, 999, 998]
    for reader in (images, pickle.loads(pickle.dumps(images))):
        assert [reader(row) for row in rows] == [b"%d" % row for row in rows]
        assert reader.name(7) == "set/train[7]"


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (-1, "2 of 10 rows of test have no label in column 'label' .empty, or -1., the first of them row 8"),
        (None, "2 of 10 rows of test have no label in column 'label' .empty, or -1., the first of them row 8"),
        (2, "2 rows of test have labels such as 2 in column 'label', of which the metadata names 0 to 1"),
    ],
)
def test_labels_that_are_no_class_are_named(tmp_path, label, said):
    root = tmp_path / "hub"
    write_parquet(root / "train.parquet", range(40), [0, 1] * 20, ["cat", "dog"])
    write_parquet(root / "test.parquet", range(100, 110), [0, 1] * 4 + [label] * 2, ["cat", "dog"])
    with pytest.raises(UserError, match=said) as error:
        open_source(str(root))
    assert "\n" not in str(error.value)


def test_val_and_test_without_train_are_no_classes(tmp_path):
    for part in ("val", "test"):
        for name in ("a", "b"):
            write_images(tmp_path / "half" / part / name, 3, (8, 8), (1, 2, 3))
    with pytest.raises(UserError, match="half': has a folder 'test' but no 'train'"):
        open_source(str(tmp_path / "half"))
