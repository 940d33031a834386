"""Files of classifiers that make squares of images answer, to any raw image, as training saw it."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.helpers.images.photos import make_photo, write_photos
from tests.helpers.made_winner import train_winner
from trainables.common.reporter import SilentReporter
from trainables.config import TrialConfig
from trainables.data.data_options import DataOptions
from trainables.data.store.store import open_store, prepare_data
from trainables.export.exporter import ExportRequest, export_classifier
from trainables.export.predictor import Predictor
from trainables.export.weights import read_classifier, write_ensemble
from trainables.metrics.predictions import TEST_PERMIT
from trainables.workers.worker_context import ProcessGroup, WorkerContext

RAW_SIZES = ((500, 700), (64, 64), (24, 24), (31, 200), (300, 40), (7, 5))
SMALL = TrialConfig(width=8, depth=1, lr=1e-2, batch_size=32, input_size=24)


@pytest.fixture(scope="module")
def data(tmp_path_factory, cache):
    folder = write_photos(tmp_path_factory.mktemp("photos") / "p", {"train": 30, "val": 8, "test": 20})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEARCHSPACE_CACHE", str(cache))
        found = prepare_data(str(folder), options=DataOptions(keep_aspect=True, store_side=48))
        photos(((50, 50),))[0].save(folder / "test" / "red" / "0.png")  # another image since then
        yield found


@pytest.fixture(scope="module")
def export(data, tmp_path_factory):
    """Exports a winner in every format, once for each kind: its folder and record."""

    @cache
    def exported(kind: str):
        folder = tmp_path_factory.mktemp("winner")
        place = WorkerContext.open(ProcessGroup(0, 1, torch.device("cpu")), open_store(data))
        if kind == "pad":
            train_winner(place, folder, SMALL.model_copy(update={"fit": "pad"}), epochs=2)
        else:
            members = [{"fit": "crop"}, {"fit": "stretch", "input_size": 64}, {"fit": "crop"}]
            for index, changes in enumerate(members):
                train_winner(place, folder / "members" / str(index), SMALL.model_copy(update=changes), epochs=2)
            write_ensemble(folder, len(members))
            (folder / TEST_PERMIT).write_text("{}")
        return folder, export_classifier(folder, ExportRequest(max_drop=100.0, data=data.origin), SilentReporter())

    return exported


@pytest.fixture(params=["pad", "an ensemble"])
def exported(request, export):
    """A winner's folder and record of files."""
    return export(request.param)


def photos(sizes=RAW_SIZES) -> list[Image.Image]:
    return [make_photo((200, 60, 60), size, seed) for seed, size in enumerate(sizes)]


def as_input(photo: Image.Image) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(photo).transpose(2, 0, 1))[None]


def test_every_format_is_exported_and_proven_on_whole_images(exported):
    _, record = exported
    assert record.dropped == ()
    assert {artefact.format for artefact in record.artefacts} >= {"pytorch", "pt2", "onnx", "onnx-int8"}
    for artefact in record.artefacts:
        assert artefact.proof.count == 40
        if artefact.format != "onnx-int8":
            assert artefact.proof.largest_probability_difference < 1e-3
            assert artefact.proof.raw_difference < 1e-3
        assert artefact.proof.raw_count == (0 if artefact.format == "pytorch" else 39)
    assert record.raw_note == "of 40 raw test files, 1 have changed"


def test_raw_pixels_and_files_are_answered_alike(exported, tmp_path):
    folder, _ = exported
    runner = Predictor(folder / "model.onnx")
    assert len(runner.fits) == (2 if (folder / "members").is_dir() else 1)
    read = []
    for number, photo in enumerate(photos()):
        file = tmp_path / f"{number}.png"
        photo.save(file)
        read.append(runner.read_image(file, file.name))
    answers = runner.classify(read)
    for photo, answer in zip(photos(), answers, strict=True):
        assert runner.probabilities(as_input(photo))[0] == pytest.approx(answer, abs=1e-4)


def test_pytorchs_program_answers_as_the_onnx_file_does(exported):
    folder, _ = exported
    runner, program = Predictor(folder / "model.onnx"), torch.export.load(folder / "model.pt2").module()
    for photo in photos():
        with torch.inference_mode():
            _, found = program(torch.from_numpy(as_input(photo)))
        assert found.numpy() == pytest.approx(runner.probabilities(as_input(photo)), abs=1e-4)


def test_the_classifier_answers_to_stored_images_as_to_their_squares(exported, data):
    classifier, _ = read_classifier(exported[0])
    store = open_store(data)
    with torch.inference_mode():
        for row in range(5):
            image = np.ascontiguousarray(store.stored.image(row))
            found = classifier(torch.from_numpy(image)[None]).softmax(1).numpy()
            assert Predictor(exported[0] / "model.onnx").probabilities(image[None]) == pytest.approx(found, abs=1e-4)


def test_metadata_without_a_known_fit_are_refused(exported, tmp_path):
    import onnx

    from trainables.common.errors import UserError

    model = onnx.load(exported[0] / "model.onnx")
    for key, value in (("fits", '[{"kind": "squeeze"}]'), ("store_side", "0"), ("fits", "[{}]")):
        entries = {entry.key: entry for entry in model.metadata_props}
        before, entries[key].value = entries[key].value, value
        onnx.save(model, tmp_path / "model.onnx")
        with pytest.raises(UserError, match="become squares"):
            Predictor(Path(tmp_path / "model.onnx"))
        entries[key].value = before
    assert json.loads({entry.key: entry.value for entry in model.metadata_props}["store_side"]) == 48
