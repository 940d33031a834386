"""Groups and weights of images stay beside them: through splits, cuts, bad images and other nodes."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainables.data.data_options import DataOptions
from trainables.data.sources.source_registry import open_source
from trainables.data.store import shared_store, store
from trainables.data.store.image_columns import load_columns
from trainables.data.store.store import open_store, prepare_data
from trainables.data.store.store_arrays import compute_fingerprint

IMAGES = 60
BAD = (7, 8, 31, 58)


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    """Images whose first pixel tells their number, in two classes; some are cut."""
    for number in range(IMAGES):
        file = tmp_path / "set" / ("odd" if number % 2 else "even") / f"{number:02}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8), dtype=np.uint8)
        pixels[0, 0] = number
        Image.fromarray(pixels).save(file)
        if number in BAD:
            file.write_bytes(file.read_bytes()[:-30])
    return tmp_path / "set"


@pytest.fixture
def with_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources have groups of ten images, and weights of a tenth of an image's number."""

    def open_with_columns(origin: str, options: DataOptions):
        raw = open_source(origin, options)
        parts = {}
        for name, part in raw.parts.items():
            numbers = np.array([int(Path(part.name(row)).stem) for row in range(len(part.labels))])
            weights = (numbers / 10).astype(np.float32)
            parts[name] = dataclasses.replace(part, groups=numbers // 10, weights=weights)
        return dataclasses.replace(raw, parts=parts, identity=f"{raw.identity} with columns")

    monkeypatch.setattr(store, "open_source", open_with_columns)


def check(images, groups, weights) -> set[int]:
    numbers = images[:, 0, 0, 0].astype(np.int64)
    assert groups.dtype == np.int64
    assert groups.tolist() == (numbers // 10).tolist()
    assert weights.tolist() == (numbers / 10).astype(np.float32).tolist()
    return set(numbers.tolist())


@pytest.mark.usefixtures("with_columns")
def test_each_image_keeps_its_group_and_weight_where_bad_ones_are_left_out(numbered, tmp_path):
    data = prepare_data(str(numbered), options=DataOptions(on_bad_image="skip"))
    opened, permit = open_store(data), tmp_path / "permit"
    permit.touch()
    columns, test = opened.open_test_columns(permit), opened.open_test(permit)[0]
    known = check(opened.images, opened.groups, opened.weights) | check(test, columns.groups, columns.weights)
    assert known == set(range(IMAGES)) - set(BAD)
    assert compute_fingerprint(Path(data.path), data.classes) == data.fingerprint


@pytest.mark.usefixtures("with_columns")
def test_a_store_with_other_groups_has_another_fingerprint(numbered):
    data = prepare_data(str(numbered), options=DataOptions(on_bad_image="skip"))
    groups = np.load(Path(data.path) / "groups.npy")
    np.save(Path(data.path) / "groups.npy", groups + 1)
    assert compute_fingerprint(Path(data.path), data.classes) != data.fingerprint


def test_a_store_without_columns_has_no_files_of_them(numbered):
    for number in BAD:
        (numbered / ("odd" if number % 2 else "even") / f"{number:02}.png").unlink()
    opened = open_store(prepare_data(str(numbered)))
    assert opened.groups is opened.weights is None
    assert not [*opened.path.rglob("groups.npy"), *opened.path.rglob("weights.npy")]


@pytest.mark.usefixtures("with_columns")
def test_another_node_fetches_the_columns(numbered, tmp_path, monkeypatch):
    data = prepare_data(str(numbered), options=DataOptions(on_bad_image="skip"))
    away = tmp_path / "fetched"
    listed = {f"{part}{name}.npy" for part in ("", "test/") for name in ("groups", "weights")}
    monkeypatch.setattr(shared_store, "MAX_HEADER_BYTES", 128)
    sizes = {name: type("Entry", (), {"size": (Path(data.path) / name).stat().st_size}) for name in listed}
    assert shared_store._files_to_fetch(data, sizes) == listed
    shutil.copytree(data.path, away)
    names = {file.relative_to(away).as_posix() for file in away.rglob("*") if file.is_file()}
    assert shared_store._find_mismatch(data, away, names) == ""
    np.save(away / "weights.npy", load_columns(away)["weights"][1:])
    assert "weights (" in shared_store._find_mismatch(data, away, names)
