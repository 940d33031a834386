"""What becomes of bad images: an error, or left out, counted and listed; in folders, parquet and cut builds."""

import csv
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from searchspace.cli.command import run_command
from searchspace.preparation.data_issues import copy_image_lists, describe_data_issues, describe_skipped
from searchspace.preparation.prepare_data import describe_data
from searchspace.run import main
from tests.helpers.images.data_sets import encoded, write_images
from tests.helpers.recording_reporter import Told
from trainables.common.errors import UserError
from trainables.data.copies.leaked_images import LEAKED_IMAGES
from trainables.data.data_options import DataOptions
from trainables.data.decoding.bad_images import BAD_IMAGES, BadImageCause, BadImageError
from trainables.data.decoding.decode import read_image_header
from trainables.data.layouts.left_out import LEFT_OUT
from trainables.data.layouts.listing import list_files
from trainables.data.store.building import build
from trainables.data.store.store import open_store, prepare_data
from trainables.data.store.store_arrays import compute_fingerprint


def truncate(file: Path) -> None:
    """Leave the header whole, so that only decoding finds out."""
    file.write_bytes(file.read_bytes()[:-30])


def numbered(number: int) -> Image.Image:
    pixels = np.random.default_rng(number).integers(0, 256, (8, 8), dtype=np.uint8)
    pixels[0, 0] = number
    return Image.fromarray(pixels)


def levels(root: Path, count: int, bad: tuple[int, ...] = ()) -> Path:
    """Two classes of `count` grey images each; an image's first pixel tells its number, and that its class."""
    for level in range(2 * count):
        file = root / ("odd" if level % 2 else "even") / f"{level:03}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        numbered(level).save(file)
        if level in bad:
            truncate(file)
    return root


def stored_levels(data) -> dict[int, int]:
    """Number -> label of every image in a store, its test split included."""
    store = open_store(data)
    pairs = [(images[:, 0, 0, 0], labels) for images, labels in ((store.images, store.labels), locked(data))]
    return {int(v): int(label) for images, labels in pairs for v, label in zip(images, labels, strict=True)}


def locked(data):
    return np.load(Path(data.path) / "test" / "images.npy"), np.load(Path(data.path) / "test" / "labels.npy")


def listed(folder: Path | str) -> dict[str, str]:
    with (Path(folder) / BAD_IMAGES).open(newline="", encoding="utf-8") as file:
        return {Path(row["path"]).name: row["reason"] for row in csv.DictReader(file)}


BAD = (5, 6, 40, 41, 42, 99)


def test_a_bad_image_is_one_line_and_exit_code_2(tmp_path, monkeypatch, capsys):
    root = levels(tmp_path / "set", 60, BAD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["run", "--data", str(root)])
    with pytest.raises(SystemExit) as stopped:
        run_command(main)
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: --data 'set': bad image ")
    for part in (
        ".png (cannot be decoded",
        "more bad images are known so far",
        "`--on-bad-image skip` leaves bad images out",
    ):
        assert part in line
    assert not (tmp_path / "results").exists()


def test_bad_headers_are_all_known_before_anything_is_decoded(tmp_path, logged):
    root = levels(tmp_path / "set", 60)
    for name, content in (("even/000.png", b""), ("even/008.png", b"text"), ("odd/011.png", b"\x89PNG")):
        (root / name).write_bytes(content)
    told = Told()
    with pytest.raises(
        UserError, match=r"000\.png \(empty\); 2 more bad images are known so far; `--on-bad-image skip`"
    ):
        prepare_data(str(root), told)
    assert not told.steps
    assert not any("decoding" in line for line in logged)


@pytest.mark.parametrize("processes", [False, True])
def test_skipping_keeps_labels_splits_and_statistics_right(tmp_path, monkeypatch, processes):
    monkeypatch.setattr(build, "PROCESSES_FROM", 1 if processes else 10**9)
    root = levels(tmp_path / "set", 60, BAD)
    (root / "even" / "010.png").write_bytes(b"")
    data = prepare_data(str(root), options=DataOptions(on_bad_image="skip"))
    assert data.skipped == 7
    assert data.train + data.val + data.test == 113
    assert stored_levels(data) == {level: level % 2 for level in range(120) if level not in {*BAD, 10}}
    reasons = listed(data.path)
    assert set(reasons) == {f"{level:03}.png" for level in (*BAD, 10)}
    assert reasons["010.png"] == "empty"
    store = open_store(data)
    train = store.images[store.rows("train")] / 255
    assert (data.mean, data.std) == (pytest.approx([train.mean()]), pytest.approx([train.std()]))
    assert sum(data.counts) == data.train == len(train)
    assert data.fingerprint == compute_fingerprint(Path(data.path), data.classes)


def test_one_store_serves_both_ways_and_neither_wrongly(tmp_path, logged):
    good, bad = levels(tmp_path / "good", 30), levels(tmp_path / "bad", 30, (7,))
    assert prepare_data(str(good)) == prepare_data(str(good), options=DataOptions(on_bad_image="skip"))
    with pytest.raises(UserError, match=r"007\.png"):
        prepare_data(str(bad))
    told = Told()
    skipped = prepare_data(str(bad), told, options=DataOptions(on_bad_image="skip"))
    assert any("resuming from" in line for line in logged), "what the failed build decoded is not decoded again"
    with pytest.raises(UserError, match=r"007\.png"):
        prepare_data(str(bad))
    assert prepare_data(str(bad), options=DataOptions(on_bad_image="skip")) == skipped
    numbered(7).save(bad / "odd" / "007.png")
    mended = prepare_data(str(bad))
    assert (mended.skipped, 7 in stored_levels(mended)) == (0, True)


def test_another_node_prepares_the_same_store_without_the_bad_images(tmp_path, monkeypatch):
    data = prepare_data(str(levels(tmp_path / "set", 30, (7,))), options=DataOptions(on_bad_image="skip"))
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "another node"))
    there = open_store(data.model_copy(update={"path": str(tmp_path / "not here")})).summary
    assert (there.fingerprint, there.skipped) == (data.fingerprint, 1)


CUT = """
import os, signal, sys
from trainables.data.data_options import DataOptions
from trainables.data.store.building import build
from trainables.data.store.building import summary_builder as tally
from trainables.data.store.store import prepare_data

def die(*_arguments, **_options):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[2] == "after closing up":
    tally.compute_fingerprint = die
elif sys.argv[2] == "between":
    remove_rows, times = tally.remove_rows, []
    tally.remove_rows = lambda *given: die() if times else times.append(remove_rows(*given))
elif sys.argv[2] == "within":
    tally.remove_rows.__globals__["np"].lib.format.write_array_header_1_0 = die

class Killer:
    def progress(self, what, done, total):
        if sys.argv[2] == "decoding" and done == 120:
            die()

prepare_data(sys.argv[1], Killer(), options=DataOptions(on_bad_image="skip", keep_aspect=True))
"""


WHOLE = DataOptions(on_bad_image="skip", keep_aspect=True)


@pytest.mark.parametrize("moment", ["decoding", "between", "after closing up"])
def test_a_skipping_build_of_whole_images_cut_at_any_moment_goes_on_to_the_same_store(tmp_path, monkeypatch, moment):
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "cut"))
    root = levels(tmp_path / "set", 60, tuple(range(0, 120, 7)))
    write_images(root / "wide", 65, (9, 30), (1, 2, 3))
    (root / "wide" / "5.png").write_bytes((root / "wide" / "5.png").read_bytes()[:-40])
    monkeypatch.setattr(build, "CHUNK_IMAGES", 40)
    code = CUT.replace("prepare_data(sys", "build.CHUNK_IMAGES = 40\nprepare_data(sys", 1)
    command = [sys.executable, "-c", code, str(root), moment]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    resumed = prepare_data(str(root), options=WHOLE)
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "whole"))
    whole = prepare_data(str(root), options=WHOLE)
    assert resumed.model_copy(update={"path": whole.path}) == whole
    assert (whole.aspect_kept, whole.skipped) == (True, 19)
    assert listed(resumed.path) == listed(whole.path)
    assert compute_fingerprint(Path(resumed.path), resumed.classes) == whole.fingerprint


@pytest.mark.parametrize("moment", ["decoding", "within", "between", "after closing up"])
def test_a_skipping_build_cut_at_any_moment_goes_on_to_the_same_store(tmp_path, monkeypatch, moment):
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "cut"))
    root = levels(tmp_path / "set", 125, tuple(range(0, 250, 12)))
    monkeypatch.setattr(build, "CHUNK_IMAGES", 40)
    code = CUT.replace("prepare_data(sys", "build.CHUNK_IMAGES = 40\nprepare_data(sys", 1)
    command = [sys.executable, "-c", code, str(root), moment]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    resumed = prepare_data(str(root), options=DataOptions(on_bad_image="skip"))
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "whole"))
    whole = prepare_data(str(root), options=DataOptions(on_bad_image="skip"))
    assert resumed.model_copy(update={"path": whole.path}) == whole
    assert listed(resumed.path) == listed(whole.path)
    assert stored_levels(resumed) == {level: level % 2 for level in range(250) if level % 12}
    assert np.array_equal(open_store(resumed).images, open_store(whole).images)


def test_bad_images_in_parquet_are_skipped_too(tmp_path):
    content = [encoded(value) for value in range(60)]
    content[0], content[9], content[10] = b"", content[9][:-30], None
    image = [{"bytes": found, "path": None} for found in content]
    (tmp_path / "hub").mkdir()
    pq.write_table(pa.table({"image": image, "label": [i % 2 for i in range(60)]}), tmp_path / "hub/train.parquet")
    with pytest.raises(UserError, match=r"hub/train\[\d+\] \(.*; `--on-bad-image skip`"):
        prepare_data(str(tmp_path / "hub"))
    data = prepare_data(str(tmp_path / "hub"), options=DataOptions(on_bad_image="skip"))
    assert set(listed(data.path)) == {"train[0]", "train[9]", "train[10]"}
    assert stored_levels(data) == {level: level % 2 for level in range(60) if level not in {0, 9, 10}}


def test_parquet_without_any_image_is_told(tmp_path):
    (tmp_path / "hub").mkdir()
    image = [{"bytes": b"no", "path": None}] * 40
    pq.write_table(pa.table({"image": image, "label": [0, 1] * 20}), tmp_path / "hub/train.parquet")
    with pytest.raises(UserError, match="column 'image' holds no image that can be decoded"):
        prepare_data(str(tmp_path / "hub"), options=DataOptions(on_bad_image="skip"))


@pytest.mark.parametrize("damage", [truncate, lambda file: file.write_bytes(b"")])
@pytest.mark.parametrize("part", ["train", "test"])
def test_a_class_that_skipping_empties_is_an_error(tmp_path, damage, part):
    for name in ("train", "test"):
        levels(tmp_path / "set" / name, 20)
    for file in (tmp_path / "set" / part / "odd").iterdir():
        damage(file)
    with pytest.raises(UserError, match=rf"'odd'.* {part}.*the first.*\.png \(") as error:
        prepare_data(str(tmp_path / "set"), options=DataOptions(on_bad_image="skip"))
    assert "\n" not in str(error.value)


def test_hidden_files_and_folders_are_no_data(tmp_path):
    root = levels(tmp_path / "set", 20)
    for name in (".git", "__MACOSX", "even/.thumbs", "odd/__MACOSX"):
        write_images(root / name, 2, (8, 8), (1, 2, 3))
    for name in (".DS_Store", "Thumbs.db", "even/.DS_Store", "even/Thumbs.db", "odd/._001.png", "odd/notes.txt"):
        (root / name).write_bytes(b"what systems and people leave")
    data = prepare_data(str(root))
    assert data.classes == ("even", "odd")
    assert data.train + data.val + data.test == 40


def test_links_lead_around_within_the_root_only(tmp_path):
    outside = levels(tmp_path / "outside", 4)
    root = levels(tmp_path / "real", 20)
    (root / "even" / "more").symlink_to(outside / "even")
    (root / "even" / "out.png").symlink_to(outside / "even" / "000.png")
    (root / "even" / "gone.png").symlink_to(root / "even" / "no-such.png")
    (root / "even" / "self.png").symlink_to(root / "even" / "self.png")
    (root / "even" / "up").symlink_to(root)
    (root / "odd" / "again.png").symlink_to(root / "odd" / "001.png")
    (root / "odd" / "loop").symlink_to(root / "odd")
    os.mkfifo(root / "odd" / "pipe.png")
    (tmp_path / "set").symlink_to(root)
    with pytest.raises(UserError, match="a link that leads"):
        prepare_data(str(tmp_path / "set"))
    data = prepare_data(str(tmp_path / "set"), options=DataOptions(on_bad_image="skip"))
    reasons = listed(data.path)
    assert reasons["out.png"] == reasons["more"] == BadImageCause.OUTSIDE_LINK.value
    assert reasons["gone.png"] == reasons["self.png"] == "a link that leads nowhere"
    assert reasons["pipe.png"] == "no regular file"
    assert data.train + data.val + data.test == 40, "each image once"


def test_a_class_or_part_that_is_a_link_to_the_outside_is_refused(tmp_path):
    outside = levels(tmp_path / "outside", 20)
    (tmp_path / "classes").mkdir()
    (tmp_path / "classes" / "even").symlink_to(outside / "even")
    write_images(tmp_path / "classes" / "odd", 20, (8, 8), (1, 2, 3))
    with pytest.raises(UserError, match=r"class folder 'even'.*leads out of the data folder"):
        prepare_data(str(tmp_path / "classes"), options=DataOptions(on_bad_image="skip"))
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "train").symlink_to(outside)
    with pytest.raises(UserError, match=r"parts/train' is a link that leads out of the data folder"):
        prepare_data(str(tmp_path / "parts"), options=DataOptions(on_bad_image="skip"))


def test_linked_parquet_files_work_as_hugging_faces_cache_has_them(tmp_path):
    (tmp_path / "blobs").mkdir()
    (tmp_path / "hub").mkdir()
    image = [{"bytes": encoded(value), "path": None} for value in range(40)]
    pq.write_table(pa.table({"image": image, "label": [0, 1] * 20}), tmp_path / "blobs" / "f00")
    (tmp_path / "hub" / "train-0.parquet").symlink_to(tmp_path / "blobs" / "f00")
    (tmp_path / "hub" / "._train-0.parquet").write_bytes(b"left by a Mac")
    data = prepare_data(str(tmp_path / "hub"))
    assert data.train + data.val + data.test == 40


def test_leaks_are_found_by_decoded_pixels_and_listed(tmp_path):
    root = tmp_path / "set"
    for part, first in (("train", 0), ("val", 60), ("test", 80)):
        for level in range(first, first + (60 if part == "train" else 20)):
            file = root / part / ("odd" if level % 2 else "even") / f"{part}-{level}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8), level, np.uint8)).save(file)
    Image.fromarray(np.full((8, 8), 4, np.uint8)).save(root / "val" / "even" / "copy.bmp")  # another file, equal pixels
    Image.fromarray(np.full((8, 8), 61, np.uint8)).save(root / "test" / "odd" / "copy,\n2.tif")
    expected = [
        ("copy.bmp", "val", "train-4.png", "train"),
        ("copy,\\n2.tif", "test", "val-61.png", "val"),
    ]
    kept = prepare_data(str(root), options=DataOptions(keep_copies=True))
    assert (kept.leaked, kept.train, kept.val, kept.test) == (2, 60, 21, 21)
    assert "; 2 images occur in two splits (leaked-images.csv)" in describe_data(kept)
    assert listed_leaks(kept) == [(*row, "equal pixels", "same", "no") for row in expected]
    data = prepare_data(str(root))
    assert (data.leaked, data.train, data.val, data.test) == (0, 59, 20, 21)
    assert "; 2 images left out as copies of held-out images (leaked-images.csv)" in describe_data(data)
    assert listed_leaks(data) == [(*row, "equal pixels", "same", "yes") for row in expected]


def listed_leaks(data) -> list[tuple[str, ...]]:
    with (Path(data.path) / LEAKED_IMAGES).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["distance"] for row in rows} == {"0"}
    return [
        (Path(row["image"]).name, row["split"], Path(row["same_as"]).name, row["its_split"], row["kind"],
         row["labels"], row["left_out"])
        for row in rows
    ]  # fmt: skip


def test_results_count_and_list_what_was_skipped(tmp_path):
    data = prepare_data(str(levels(tmp_path / "set", 60, BAD)), options=DataOptions(on_bad_image="skip"))
    assert describe_skipped(data).startswith("skipped 6 bad images of 120 (bad-images.csv); the first: ")
    copy_image_lists(data, tmp_path)
    assert set(listed(tmp_path)) == {f"{level:03}.png" for level in BAD}
    assert not (tmp_path / LEAKED_IMAGES).exists()
    (line,) = describe_data_issues(data.model_dump())
    assert line == "6 bad images were left out of the data: `../bad-images.csv`."


def test_one_list_has_all_that_is_not_used_with_reasons(tmp_path):
    root = levels(tmp_path / "set", 60, BAD)
    (root / "even" / "notes.txt").write_text("no image")
    data = prepare_data(str(root), options=DataOptions(on_bad_image="skip"))
    with (Path(data.path) / LEFT_OUT).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {Path(row["path"]).name: row["details"] for row in rows if row["reason"] == "bad image"} == listed(data.path)
    assert [(Path(row["path"]).name, row["kind"], row["details"]) for row in rows if row["reason"] != "bad image"] == [
        ("notes.txt", ".txt", "no images")
    ]


@pytest.mark.parametrize("content", [b"no image", "cut"], ids=["header", "pixels"])
@pytest.mark.parametrize("split", ["train", "val", "test"])
@pytest.mark.parametrize("kind", ["folder", "table"])
def test_a_class_that_is_lost_by_skipping_is_an_error(tmp_path, kind, split, content):
    root = tmp_path / "set"
    for part in ("train", "val", "test"):
        for name in ("cat", "dog"):
            write_images(root / part / name, 3, (30, 40), (200, 60, len(part)))
    for file in (root / split / "cat").iterdir():
        file.write_bytes(file.read_bytes()[:900] if content == "cut" else b"no image")
    origin = root
    if kind == "table":
        origin = tmp_path / "labels.csv"
        files = sorted(root.rglob("*.png"))
        lines = [f"{file.relative_to(tmp_path)},{file.parent.name},{file.parent.parent.name}" for file in files]
        origin.write_text("\n".join(["image,label,split", *lines]) + "\n")
    with pytest.raises(UserError, match=r"class (folder )?'cat'") as error:
        prepare_data(str(origin), options=DataOptions(on_bad_image="skip"))
    for word in ("bad image", "0.png", split):
        assert word in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", BadImageCause.EMPTY),
        (b"neither this nor that", BadImageCause.NO_IMAGE),
        (b"<!DOCTYPE html><title>404</title>", BadImageCause.OTHER_CONTENT),
        (b"P6 100000 100000 255\n", BadImageCause.TOO_LARGE),
    ],
)
def test_an_error_has_its_cause_also_in_another_process(content, cause):
    with pytest.raises(BadImageError) as error:
        read_image_header(content, "it")
    assert pickle.loads(pickle.dumps(error.value)).image.cause == cause  # our own


def test_links_that_must_not_be_followed_have_their_cause(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "outside.png").touch()
    (tmp_path / "set" / "a.png").symlink_to("nothing")
    (tmp_path / "set" / "b.png").symlink_to(tmp_path / "outside.png")
    (tmp_path / "set" / "c.png").mkdir()
    os.mkfifo(tmp_path / "set" / "d.png")
    found = {Path(image.name).name: image.cause for image in list_files(tmp_path / "set").bad_images}
    causes = (BadImageCause.BROKEN_LINK, BadImageCause.OUTSIDE_LINK, BadImageCause.NO_FILE)
    assert found == dict(zip(("a.png", "b.png", "d.png"), causes, strict=True))
