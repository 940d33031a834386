"""What a winner predicts from Python: the same as `searchspace predict`, of any kind of input."""

import csv
import dataclasses
import io
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from searchspace.api.result import load
from searchspace.api.winner_model import Winner
from tests.helpers.commands import command
from tests.helpers.made_search import make_exported_search
from tests.helpers.servers.s3_server import keys
from trainables.common.errors import UserError
from trainables.common.reporter import SilentReporter
from trainables.data.store.store import open_store
from trainables.export.exporter import ExportRequest, export_classifier
from trainables.metrics.metric_registry import METRICS
from trainables.metrics.predictions import TEST_PERMIT
from trainables.storage.folder_sync import FolderSync
from trainables.storage.search_storage import SearchStorage


@pytest.fixture(scope="module")
def winner(digits, trained, cache, tmp_path_factory) -> Winner:
    """Of one exported file, by which its test was made, too."""
    place = tmp_path_factory.mktemp("place")
    shutil.copytree(trained, place / "trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEARCHSPACE_CACHE", str(cache))
        export_classifier(place / "trained", ExportRequest(formats=("onnx",), max_drop=1.0), SilentReporter())
        folder = make_exported_search(place / "results", digits, place / "trained")
    return load(folder.parent).winner


@pytest.fixture
def files(tmp_path):
    """Three grey images of different sizes in a folder."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "images"
    folder.mkdir()
    for place, side in enumerate((8, 20, 31)):
        Image.fromarray(rng.integers(0, 256, (side, side + place), np.uint8)).save(folder / f"{place}.png")
    return folder


def test_predictions_are_those_of_the_command(winner, files, cache, tmp_path):
    asked = (str(winner.folder.parent), str(files), "--top", "3", "--format", "csv")
    done = command("predict", *asked, home=tmp_path, cache=cache, cwd=tmp_path)
    said = list(csv.DictReader(io.StringIO(done.stdout)))
    found = winner.top_classes(files, top=3)
    assert [*found["class"]] == [row["class"] for row in said]
    assert [f"{p:.6f}" for p in found["probability"]] == [row["probability"] for row in said]
    assert [*found["image"]] == [row["image"] for row in said]


def test_paths_pictures_and_pixels_are_answered_alike(winner, files):
    paths = sorted(files.iterdir())
    pictures = [Image.open(path) for path in paths]
    arrays = [np.asarray(picture) for picture in pictures]
    expected = winner.predict_proba(files)
    assert expected.shape == (3, len(winner.classes))
    for given in (
        paths,
        pictures,
        arrays,
        [torch.from_numpy(a.copy())[None] for a in arrays],
        [a[..., None] for a in arrays],
    ):
        np.testing.assert_array_equal(winner.predict_proba(given), expected)
    np.testing.assert_array_equal(winner.predict(paths[1]), winner.predict(files)[1:2])


def test_a_batch_is_answered_as_its_images(winner):
    batch = np.random.default_rng(1).integers(0, 256, (5, 8, 8), np.uint8)
    expected = winner.predict_proba(list(batch))
    for given in (batch, batch[..., None], torch.from_numpy(batch)[:, None]):
        np.testing.assert_array_equal(winner.predict_proba(given), expected)
    assert winner.predict(batch[0]).shape == (1,)
    assert winner.predict_proba([]).shape == (0, 10)


def test_pictures_are_set_upright_and_onto_white(winner, tmp_path):
    rng = np.random.default_rng(2)
    picture = Image.fromarray(rng.integers(0, 256, (12, 9, 4), np.uint8), "RGBA")
    exif = picture.getexif()
    exif[274] = 6
    picture.save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(
        winner.predict_proba(Image.open(tmp_path / "turned.png")), winner.predict_proba(tmp_path / "turned.png")
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.zeros((2, 8, 8), np.float32), r"float32 .*\(255 \* x\)\.round\(\)\.astype\('uint8'\)"),
        (torch.zeros(2, 1, 8, 8), r"\.to\(torch\.uint8\)"),
        (np.zeros((3, 8, 8), np.uint8), "three grey images or an RGB one"),
        (np.zeros((2, 3, 3, 3), np.uint8), "channels='first' or 'last'"),
        (np.zeros((2, 8, 8, 4), np.uint8), r"x\[\.\.\., :3\]"),
        (3, "int; give a path"),
        ([3], "image 0: int"),
        ("absent.png", "no such file"),
    ],
)
def test_what_is_not_sure_is_refused(winner, given, said):
    with pytest.raises(UserError, match=said):
        winner.predict(given)


def test_a_damaged_image_is_named(winner, files):
    (files / "1.png").write_bytes((files / "1.png").read_bytes()[:60])
    with pytest.raises(UserError, match=r"1\.png"):
        winner.predict(files)
    with pytest.raises(UserError, match="image 0"):
        winner.predict([Image.open(files / "1.png")])


def test_it_says_what_it_is(winner):
    assert winner.classes == tuple("0123456789")
    assert winner.config.width == 8
    assert set(winner.files) >= {"pytorch", "onnx"}
    assert all(path.is_file() for path in winner.files.values())
    assert "convnet, test accuracy" in repr(winner)


@pytest.fixture
def tested(winner):
    """The test images (n, 1, 8, 8), and their labels."""
    store = open_store(winner._results.data)
    stored, labels = store.open_test_stored(winner.folder / TEST_PERMIT)
    return np.stack([stored.image(row) for row in range(len(stored))]), labels


def test_the_test_images_give_the_test_metrics(winner, tested):
    images, labels = tested
    found = winner.evaluate({"test": (images, labels)})
    assert found.metrics == winner.metrics
    assert found.seen == 0
    assert list(found.per_class["images"]) == [each.count for each in winner.metrics.classes]


def test_data_of_all_forms_give_the_same_metrics(winner, tested, tmp_path):
    images, labels = tested
    for row, image in enumerate(images):
        folder = tmp_path / "images" / str(labels[row])
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0]).save(folder / f"{row}.png")
    files = sorted((tmp_path / "images").rglob("*.png"))
    frame = pd.DataFrame({"path": files, "label": [file.parent.name for file in files]})
    pictures = ([Image.open(file) for file in files], [file.parent.name for file in files])
    for data in (tmp_path / "images", frame, pictures):
        found = winner.evaluate(data).metrics
        assert found.confusion == winner.metrics.confusion
        assert found.log_loss == pytest.approx(winner.metrics.log_loss)


def test_images_of_its_training_are_told(winner):
    with pytest.warns(UserWarning, match="1,527 of 1,797 images are among those that the winner was trained on"):
        found = winner.evaluate("digits")
    assert found.seen == 1527


@pytest.mark.parametrize(
    ("data", "options", "said"),
    [
        ((np.zeros((2, 8, 8), np.uint8), ["1", "one"]), {}, "'one': no class of this classifier, which has 10"),
        ((np.zeros((2, 8, 8), np.uint8), [1, 2]), {"split": "val"}, "split='val': the data have train"),
        ("absent", {}, "neither a known data set"),
        ("digits", {"label_colum": "x"}, "label_colum"),
    ],
)
def test_data_that_do_not_fit_are_refused(winner, data, options, said):
    with pytest.raises(UserError, match=said):
        winner.evaluate(data, **options)


def test_an_export_gives_the_files(winner, tmp_path):
    files = winner.export(["onnx"], max_drop=2.0, output=tmp_path / "copy")
    assert set(files) == {"pytorch", "onnx"}
    assert files["onnx"] == tmp_path / "copy" / "winner" / "model.onnx"
    assert files["onnx"].is_file()
    with pytest.raises(UserError, match="did you mean 'onnx'"):
        winner.export(["onn"])


def test_code_of_a_metric_of_ones_own_is_not_run(winner, tested, monkeypatch):
    def refuse(counts):
        raise AssertionError(counts)

    monkeypatch.setitem(METRICS, "custom/mine.score", dataclasses.replace(METRICS["accuracy"], compute=refuse))
    found = winner.evaluate(tested)
    assert found.accuracy == winner.metrics.accuracy
    assert f"{found.accuracy:.2%}" in found._repr_html_()


def test_a_search_at_a_url_is_fetched_as_far_as_it_is_needed(winner, bucket):
    home = SearchStorage(folder=str(winner.folder.parent), url=f"s3://{bucket}/searches/made")
    FolderSync(home).push()
    result = load(home.url)
    assert list(result.folder.rglob("*.onnx")) == []
    images = np.random.default_rng(3).integers(0, 256, (4, 8, 8), np.uint8)
    np.testing.assert_array_equal(result.winner.predict_proba(images), winner.predict_proba(images))
    assert all(path.is_file() for path in result.winner.files.values())
    assert len(result.leaderboard) == 24
    result.report()
    assert "searches/made/report.html" in keys(bucket)
    assert home.url in result._repr_html_()
