"""Prepared images, and all else in the cache, after a purge, a full disk or a crash: noticed, and made again."""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from searchspace.forecast import known_times
from tests.helpers.images.data_sets import write_images
from tests.helpers.recording_reporter import Told
from tests.helpers.servers.s3_server import keys, s3
from trainables.common.errors import UserError
from trainables.config import TrialConfig
from trainables.data.data_options import DataOptions
from trainables.data.store.file_digests import (
    BLOCK_BYTES,
    DIGESTS_FILE,
    compute_digests,
    find_damage,
    read_digests,
    write_digests,
)
from trainables.data.store.shared_store import share_store
from trainables.data.store.store import open_store, prepare_data
from trainables.data.store.store_arrays import compute_fingerprint
from trainables.export.benchmark.architecture_cost import (
    ArchitectureCost,
    architecture_of,
    cache_file,
    read_cost,
    write_cost,
)
from trainables.metrics.predictions import TEST_PERMIT
from trainables.storage.cache import cache_folder

CUT = 40
OPTIONS = DataOptions(on_bad_image="skip", keep_aspect=True)


def flip(file):
    content = bytearray(file.read_bytes())
    content[random.Random(file.name).randrange(len(content))] ^= 0x10
    return bytes(content)


def replace_by_folder(file, older):
    file.unlink()
    file.mkdir()
    (file / "x").write_text("x")


def replace_by_pipe(file, older):
    file.unlink()
    os.mkfifo(file)


def flip_unseen(file, older):
    """As a disk does that forgets: the file system knows nothing of it."""
    found = file.stat()
    file.write_bytes(flip(file))
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))


DAMAGE = {
    "deleted": lambda file, older: file.unlink(),
    "empty": lambda file, older: file.write_bytes(b""),
    "truncated": lambda file, older: os.truncate(file, file.stat().st_size - min(CUT, file.stat().st_size // 2)),
    "zeroed": lambda file, older: file.write_bytes(bytes(file.stat().st_size)),
    "one byte flipped": lambda file, older: file.write_bytes(flip(file)),
    "one byte flipped, its time kept": flip_unseen,
    "a folder": replace_by_folder,
    "a pipe": replace_by_pipe,
    "an older version": lambda file, older: shutil.copy2(older / file.name, file),
}


@pytest.fixture(scope="module", params=["equal", "whole"])
def layout(request):
    """Whether the images have one size, or are stored whole."""
    return request.param


@pytest.fixture(scope="module")
def source(layout, tmp_path_factory):
    """Images of two colours, one of them bad, one in two splits."""
    root = tmp_path_factory.mktemp("source") / "set"
    blue = (8, 8) if layout == "equal" else (9, 12)
    for split, count in (("train", 12), ("val", 6), ("test", 8)):
        write_images(root / split / "red", count, (8, 8), (200, 60, 60), seed=count)
        write_images(root / split / "blue", count, blue, (60, 60, 200), seed=count)
    (root / "train" / "red" / "0.png").write_bytes(b"no image")
    shutil.copy(root / "val" / "blue" / "0.png", root / "test" / "blue" / "0.png")
    return root


@pytest.fixture(scope="module")
def built(source, tmp_path_factory):
    """The cache with its store, and the store of the same folder when it had other images."""
    home = tmp_path_factory.mktemp("built")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEARCHSPACE_CACHE", str(home / "cache"))
        data = prepare_data(str(source), options=OPTIONS)
        before = home / "source"
        shutil.copytree(source, before)
        for split in ("train", "test"):
            write_images(before / split / "more", 2, (8, 8), (190, 70, 70), seed=len(split))
            for file in (before / split / "more").iterdir():
                file.rename(before / split / "red" / f"more-{file.name}")
            (before / split / "more").rmdir()
        older = prepare_data(str(before), options=OPTIONS)
    return home, data, Path(older.path)


@pytest.fixture
def store(built, tmp_path, monkeypatch):
    """A store of one's own to damage, its summary, and an older one."""
    home, data, older = built
    shutil.copytree(home / "cache", tmp_path / "cache")
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "cache" / "stores" / Path(data.path).name
    return path, data.model_copy(update={"path": str(path)}), older


def files_of(path):
    return sorted(each.relative_to(path).as_posix() for each in path.rglob("*") if each.is_file())


def is_whole(path, like):
    return read_digests(path).has_same_content(read_digests(like)) and not find_damage(path, complete=True)


FILES = (
    "images.npy", "labels.npy", "test/images.npy", "test/labels.npy", "test/origins.json", "bad-images.csv",
    "leaked-images.csv", "leaked-images.json", "contents.json", "summary.json",
)  # fmt: skip


SIZES = ("sizes.npy", "test/sizes.npy")
"""More files of a store of whole images."""


def files_expected(layout):
    return {*FILES, *(SIZES if layout == "whole" else ())}


def damage_file(store, name, kind):
    """Damage a file of the store; skips a file that a store of this layout does not have."""
    path, data, older = store
    if name in SIZES and not data.aspect_kept:
        pytest.skip("images of one size have no list of sizes")
    DAMAGE[kind](path / name, older / Path(name).parent)


def test_these_are_the_files_of_a_store(store, layout):
    assert set(files_of(store[0])) - {"left-out.csv"} == files_expected(layout)


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", [*FILES, *SIZES])
def test_a_damaged_store_is_made_again_before_a_search(store, built, name, damage, logged):
    path, data, _ = store
    damage_file(store, name, damage)
    told = Told()
    again = prepare_data(data.origin, told, options=OPTIONS)
    assert again == data
    assert is_whole(path, Path(built[1].path))
    assert any("are damaged (" in line and "preparing them again" in line for line in logged), logged
    assert compute_fingerprint(path, data.classes) == data.fingerprint
    assert not [each.name for each in path.parent.iterdir() if "damaged" in each.name or "building" in each.name]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_worker_that_opens_a_damaged_store_makes_it_again(store, damage):
    path, data, older = store
    before = open_store(data)
    DAMAGE[damage](path / "test" / "images.npy", older / "test")
    assert np.array_equal(open_store(data).images, before.images)
    assert not find_damage(path, complete=True)


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["images.npy", "sizes.npy", "labels.npy", "origins.json"])
def test_a_test_split_that_went_while_the_search_ran_is_made_again(store, tmp_path, name, damage):
    _, data, _ = store
    (tmp_path / TEST_PERMIT).touch()
    opened = open_store(data)
    images, labels = (np.array(each) for each in opened.open_test(tmp_path / TEST_PERMIT))
    origins = opened.open_test_origins(tmp_path / TEST_PERMIT)
    damage_file(store, f"test/{name}", damage)
    again = opened.open_test(tmp_path / TEST_PERMIT)
    assert np.array_equal(again[0], images)
    assert np.array_equal(again[1], labels)
    assert opened.open_test_origins(tmp_path / TEST_PERMIT) == origins


def test_a_store_that_went_with_its_images_is_told(store, tmp_path, source):
    path, data, _ = store
    (tmp_path / TEST_PERMIT).touch()
    opened = open_store(data)
    shutil.rmtree(path)
    gone = opened.summary.model_copy(update={"origin": str(tmp_path / "gone")})
    with pytest.raises(UserError) as told:
        open_store(gone)
    assert str(told.value).count("\n") == 0
    for part in (repr(str(path)), "it is missing", "neither a known data set", "--resume"):
        assert part in str(told.value)
    assert len(opened.open_test_stored(tmp_path / TEST_PERMIT)[0]) == data.test, "the images are still there"


def test_a_source_that_changed_since_is_not_taken_for_the_search_s(store, source, tmp_path):
    path, data, _ = store
    other = tmp_path / "other"
    shutil.copytree(source, other)
    (other / "train" / "blue" / "3.png").unlink()
    shutil.rmtree(path)
    with pytest.raises(UserError, match="holds other images here than the search's"):
        open_store(data.model_copy(update={"origin": str(other)}))


def test_a_store_without_a_record_of_its_contents_is_made_again(store):
    """As versions before this one left them."""
    path, data, _ = store
    (path / DIGESTS_FILE).unlink()
    assert prepare_data(data.origin, options=OPTIONS) == data
    assert (path / DIGESTS_FILE).is_file()


HEAL = """
import sys, time
from pathlib import Path
from trainables.data.data_options import DataOptions
from trainables.data.store import store
from searchspace.cli.console_log import logs_shown_by

def show(level, message):
    if "preparing" in message and "decoding" in message:
        print("built", flush=True)

start = Path(sys.argv[2])
Path(sys.argv[3]).touch()
while not start.exists():
    time.sleep(0.005)
with logs_shown_by(show):
    print(store.prepare_data(sys.argv[1], options=DataOptions(on_bad_image="skip", keep_aspect=True)).fingerprint)
"""


def test_of_two_that_make_it_again_one_does_and_the_other_waits(store, tmp_path):
    path, data, _ = store
    (path / "images.npy").write_bytes(b"")
    start = tmp_path / "start"
    commands = [
        subprocess.Popen(
            [sys.executable, "-c", HEAL, data.origin, str(start), str(tmp_path / f"ready-{n}")],
            stdout=subprocess.PIPE, text=True,
        )
        for n in range(2)
    ]  # fmt: skip
    while not all((tmp_path / f"ready-{n}").exists() for n in range(2)):
        assert all(command.poll() is None for command in commands)
    start.touch()
    said = [command.communicate(timeout=60)[0].split() for command in commands]
    assert sorted(line for lines in said for line in lines) == sorted([data.fingerprint, data.fingerprint, "built"])
    assert not find_damage(path, complete=True)


@pytest.mark.parametrize("name", ["images.npy", "test", "test/labels.npy", "finished", "."])
def test_a_half_built_store_with_something_odd_in_it_is_begun_again(store, name, tmp_path):
    path, data, _ = store
    building = path.with_name(path.name + ".building")
    path.rename(building)
    (building / DIGESTS_FILE).unlink()
    odd = building / name
    shutil.rmtree(odd) if odd.is_dir() else odd.unlink(missing_ok=True)
    odd.touch() if name in {"test", "."} else odd.mkdir()
    assert prepare_data(data.origin, options=OPTIONS) == data
    assert not find_damage(path, complete=True)


def test_a_sample_of_blocks_finds_what_is_not_small(tmp_path):
    """Zeros everywhere are always found, one wrong block of many in as many openings as the sample promises."""
    rng = np.random.default_rng(0)
    file = tmp_path / "images.npy"
    file.write_bytes(rng.bytes(100 * BLOCK_BYTES + 17))
    write_digests(tmp_path, compute_digests(tmp_path, ["images.npy"]))
    changed = file.stat().st_mtime_ns

    def damage(content, at):
        with file.open("r+b") as opened:
            opened.seek(at)
            opened.write(content)
        os.utime(file, ns=(changed, changed))

    assert not any(find_damage(tmp_path, seed=seed) for seed in range(5))
    damage(b"\0" * BLOCK_BYTES, 50 * BLOCK_BYTES)
    found = sum(bool(find_damage(tmp_path, seed=seed)) for seed in range(200))
    assert 5 <= found <= 35, "8 of 101 blocks, besides the first and the last"
    assert "near byte 13,107,200" in find_damage(tmp_path, complete=True)
    damage(b"\0" * (100 * BLOCK_BYTES), 0)
    assert all(find_damage(tmp_path, seed=seed) for seed in range(5))


def test_a_copied_store_is_read_once_completely_and_then_known(store, tmp_path):
    path, _, _ = store
    for name in files_of(path):
        os.utime(path / name)
    before = (path / DIGESTS_FILE).read_bytes()
    assert find_damage(path) == ""
    after = (path / DIGESTS_FILE).read_bytes()
    assert after != before
    assert find_damage(path) == ""
    assert (path / DIGESTS_FILE).read_bytes() == after


@pytest.fixture
def far(store, bucket, tmp_path, monkeypatch):
    """A store in a bucket, and what a node without it is told of it."""
    path, data, _ = store
    shared = share_store(data, f"s3://{bucket}/results")
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "node"))
    return shared.model_copy(update={"path": str(tmp_path / "elsewhere" / path.name), "origin": "/no/such/folder"})


@pytest.mark.parametrize("damage", ["deleted", "truncated", "zeroed", "one byte flipped", "an older version"])
@pytest.mark.parametrize("name", ["images.npy", "labels.npy", "test/images.npy", "test/labels.npy", *SIZES])
def test_a_wrong_store_at_a_url_is_refused_and_used_by_nobody(far, store, bucket, name, damage, tmp_path):
    path, data, older = store
    key = f"results/stores/{path.name}-{data.fingerprint}/{name}"
    if name in SIZES and not data.aspect_kept:
        pytest.skip("images of one size have no list of sizes")
    assert key in keys(bucket)
    if damage == "deleted":
        s3().delete_object(Bucket=bucket, Key=key)
    else:
        wrong = tmp_path / "wrong" / Path(name).name
        wrong.parent.mkdir()
        shutil.copy(path / name, wrong)
        DAMAGE[damage](wrong, older / Path(name).parent)
        s3().put_object(Bucket=bucket, Key=key, Body=wrong.read_bytes())
    with pytest.raises(UserError) as told:
        open_store(far)
    assert "is not the store of 'set'" in str(told.value)
    assert "\n" not in str(told.value)
    left = [each for each in cache_folder().rglob("*") if each.is_file() and each.suffix != ".lock"]
    assert left == []


def test_a_fetched_store_is_looked_for_under_its_content_alone(far, store, source, tmp_path, logged):
    _, data, _ = store
    fetched = open_store(far)
    assert fetched.path == cache_folder() / "fetched" / data.fingerprint
    told = Told()
    own = prepare_data(str(source), told, options=OPTIONS)
    assert any(line.startswith("preparing") for line in logged), "a search prepares its own"
    assert Path(own.path) != fetched.path
    (fetched.path / "test" / "labels.npy").write_bytes(b"")
    assert open_store(far).path == fetched.path
    assert not find_damage(fetched.path, complete=True)


def test_what_is_not_a_store_s_is_not_fetched(far, store, bucket, layout):
    path, data, _ = store
    prefix = f"results/stores/{path.name}-{data.fingerprint}"
    for name in ("features/x.npy", "more.npy", "test/sub/x", "leaked-images.csv.lock"):
        s3().put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=b"x")
    assert set(files_of(open_store(far).path)) == files_expected(layout)


@pytest.mark.parametrize("fingerprint", ["../../elsewhere", "x", "A" * 32, "", "0" * 31 + "\n"])
def test_a_fingerprint_names_no_path(far, fingerprint):
    with pytest.raises(UserError, match="is none"):
        open_store(far.model_copy(update={"fingerprint": fingerprint}))


@pytest.mark.parametrize("name", ["images.npy", "test/labels.npy", "summary.json", "contents.json"])
@pytest.mark.parametrize("damage", ["deleted", "truncated"])
def test_a_store_that_lacks_something_at_its_url_is_uploaded_again(far, store, name, damage):
    path, data, _ = store
    results = far.shared.partition("/stores/")[0]
    key = f"results/stores/{path.name}-{data.fingerprint}/{name}"
    there = far.shared.split("/")[2]
    s3().delete_object(Bucket=there, Key=key)
    if damage == "truncated":
        s3().put_object(Bucket=there, Key=key, Body=(path / name).read_bytes()[:-7])
    share_store(data, results)
    assert open_store(far).summary.fingerprint == data.fingerprint


BROKEN = {
    "empty": lambda file: file.write_bytes(b""),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-9]),
    "zeroed": lambda file: file.write_bytes(bytes(file.stat().st_size)),
    "no UTF-8": lambda file: file.write_bytes(b"\xff\xfe{}"),
    "other JSON": lambda file: file.write_text("[1, 2]"),
    "a folder": lambda file: replace_by_folder(file, None),
    "a pipe": lambda file: replace_by_pipe(file, None),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_damaged_cost_is_measured_again(digits, tmp_path, monkeypatch, broken):
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "cache"))
    architecture, cost = architecture_of(TrialConfig(), digits), ArchitectureCost(parameters=5)
    write_cost(architecture, "count", cost)
    BROKEN[broken](cache_file(architecture, "count"))
    assert read_cost(architecture, "count") is None
    write_cost(architecture, "count", cost)
    assert read_cost(architecture, "count") == cost


@pytest.mark.parametrize("broken", BROKEN)
def test_damaged_forecasts_are_forgotten(tmp_path, monkeypatch, broken):
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "cache"))
    times = known_times.DEFAULT_CLOSING.model_copy(update={"export": 4.0})
    known_times.write_closing_times("convnet", times)
    file = cache_folder() / "forecast" / "closing-times.json"
    BROKEN[broken](file)
    assert known_times.read_closing_times("convnet") == known_times.DEFAULT_CLOSING
    known_times.write_closing_times("convnet", times)
    assert known_times.read_closing_times("convnet") == times
    assert json.loads(file.read_bytes()) == {"convnet": times.model_dump()}


@pytest.mark.parametrize("suffix", [".npy", ".json", ".contents.json"])
@pytest.mark.parametrize("damage", [name for name in DAMAGE if name != "an older version"])
def test_damaged_features_are_computed_again(digits_store, tmp_path, monkeypatch, suffix, damage):
    from trainables.models.build_model import build_model
    from trainables.training.features import frozen_features as features
    from trainables.training.features.feature_set import FeatureSet, View

    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "cache"))
    config, cpu = TrialConfig(width=4, depth=1), torch.device("cpu")
    model = build_model(config, digits_store.summary)  # the fastest backbone
    before = np.array(features.frozen_features(model, config, digits_store, cpu))
    runtime = features.known_runtime(config, cpu)
    assert features.known_backbone(config, digits_store, cpu) is not None
    DAMAGE[damage](FeatureSet.of(config, digits_store, View.PLAIN, runtime.label).record.with_suffix(suffix), None)
    assert features.known_backbone(config, digits_store, cpu) is None
    assert np.array_equal(features.frozen_features(model, config, digits_store, cpu), before)
    assert features.known_backbone(config, digits_store, cpu) is not None
