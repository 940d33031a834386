"""What the winner says of each test image, as a table: whose image it is, and no cell that a spreadsheet computes."""

import csv
import os

import numpy as np
import pytest

from tests.helpers.images.data_sets import write_images
from trainables.common.escaping import from_cell
from trainables.data.data_options import DataOptions
from trainables.data.store.store import LockedSplitError, open_store, prepare_data
from trainables.metrics.predictions import (
    MAX_CLASS_COLUMNS,
    PREDICTIONS_TABLE,
    TEST_PERMIT,
    measure_brightness,
    read_predictions,
    read_test_image_info,
    write_table,
)
from trainables.training.trial_outputs import write_predictions
from trainables.workers.worker_context import WorkerContext


def read(file):
    with file.open(newline="", encoding="utf-8") as text:
        return list(csv.DictReader(text))


@pytest.fixture
def permit(tmp_path):
    (tmp_path / TEST_PERMIT).write_text("{}")
    return tmp_path / TEST_PERMIT


def test_the_table_says_what_the_arrays_do(trained, digits_store):
    folder = trained
    write_predictions(folder, WorkerContext.open(_alone(), digits_store))
    rows = read(folder / PREDICTIONS_TABLE)
    probabilities, labels = read_predictions(folder)
    assert [row["label"] for row in rows] == [digits_store.summary.classes[label] for label in labels]
    assert [row["prediction"] for row in rows] == [str(called) for called in probabilities.argmax(axis=1)]
    columns = np.array([[float(row[f"p_{name}"]) for name in digits_store.summary.classes] for row in rows])
    assert np.allclose(columns, probabilities, atol=1e-6)
    assert [float(row["probability"]) for row in rows] == columns.max(axis=1).tolist()
    paths = [row["path"] for row in rows]
    assert len(set(paths)) == len(paths) == digits_store.summary.test
    assert all(path.startswith("train[") for path in paths), "digits are no files, and drawn from one part"
    facts = read_test_image_info(folder)
    assert list(facts.paths) == paths
    assert facts.sizes is None


def _alone():
    import torch

    from trainables.workers.worker_context import ProcessGroup

    return ProcessGroup(0, 1, torch.device("cpu"))


def test_images_of_a_folder_are_told_by_their_path_in_it(tmp_path, permit):
    root = tmp_path / "data"
    write_images(root / "train" / "red" / "deep", 20, (20, 24), (200, 60, 60))
    write_images(root / "train" / "blue", 20, (30, 12), (60, 60, 200))
    write_images(root / "test" / "red", 2, (20, 24), (200, 60, 60))
    write_images(root / "test" / "blue", 3, (30, 12), (60, 60, 200))
    (root / "test" / "blue" / "broken.png").write_bytes((root / "test" / "blue" / "1.png").read_bytes()[:60])
    store = open_store(prepare_data(str(root), options=DataOptions(on_bad_image="skip")))
    origins = store.open_test_origins(permit)
    assert origins.paths == tuple(
        f"test/{name}" for name in ("blue/0.png", "blue/1.png", "blue/2.png", "red/0.png", "red/1.png")
    )
    assert origins.sizes == ((30, 12),) * 3 + ((20, 24),) * 2
    permit.unlink()
    with pytest.raises(LockedSplitError):
        store.open_test_origins(permit)


def test_a_drawn_test_split_names_the_files_that_were_drawn(colour_folder, permit):
    store = open_store(prepare_data(str(colour_folder)))
    images, labels = store.open_test(permit)
    paths = store.open_test_origins(permit).paths
    assert len(paths) == len(images)
    assert [path.split("/")[0] for path in paths] == [store.summary.classes[label] for label in labels]
    assert all((colour_folder / path).is_file() for path in paths)


@pytest.mark.skipif(os.name != "posix", reason="names are bytes")
def test_a_name_that_is_no_text_is_written_all_the_same(colour_folder, permit, tmp_path):
    for file in list((colour_folder / "red").iterdir()):
        file.rename(os.fsdecode(os.fsencode(file)[:-4] + b"-\xe9\n.png"))
    store = open_store(prepare_data(str(colour_folder)))
    origins = store.open_test_origins(permit)
    assert all((colour_folder / path).is_file() for path in origins.paths)
    labels = np.arange(len(origins.paths)) % 2
    write_table(tmp_path / "t.csv", origins.paths, labels, np.eye(2)[labels], ("a", "b"))
    assert read(tmp_path / "t.csv")[-1]["path"].endswith("-\\udce9\\n.png")


@pytest.mark.parametrize("text", ["=1+1", "+1 2", "-a", "@SUM(A1)", " =1", "'=1"])
def test_no_cell_is_a_formula(text, tmp_path):
    write_table(tmp_path / "t.csv", (text,), np.array([0]), np.array([[0.25, 0.75]]), (text, 'quoted, "so"'))
    (row,) = read(tmp_path / "t.csv")
    assert row == {
        "path": f"'{text}", "label": f"'{text}", "prediction": 'quoted, "so"', "probability": "0.75",
        f"p_{text}": "0.25", 'p_quoted, "so"': "0.75",
    }  # fmt: skip
    assert from_cell(row["path"]) == text


def test_of_many_classes_the_likeliest_are_named(tmp_path):
    classes = tuple(f"class {i}" for i in range(MAX_CLASS_COLUMNS + 1))
    probabilities = np.zeros((1, len(classes)))
    probabilities[0, [7, 3, 100, 0, 50]] = 0.4, 0.3, 0.15, 0.1, 0.05
    write_table(tmp_path / "t.csv", ("a.png",), np.array([3]), probabilities, classes)
    (row,) = read(tmp_path / "t.csv")
    assert list(row.values()) == [
        "a.png", "class 3",
        "class 7", "0.4", "class 3", "0.3", "class 100", "0.15", "class 0", "0.1", "class 50", "0.05",
    ]  # fmt: skip
    assert list(row)[4:6] == ["prediction_2", "probability_2"]


def test_brightness_and_contrast_are_those_of_the_pixels():
    images = np.zeros((3, 3, 2, 2), np.uint8)
    images[1] = 255
    images[2, 0] = 255  # pure red
    images[0, :, 0] = 255  # upper half white
    brightness, contrast = measure_brightness(images)
    assert brightness == pytest.approx([0.5, 1, 0.299], abs=1e-6)
    assert contrast == pytest.approx([0.5, 0, 0], abs=1e-6)
    grey, _ = measure_brightness(np.full((300, 1, 4, 4), 51, np.uint8))
    assert grey == pytest.approx(np.full(300, 0.2))
