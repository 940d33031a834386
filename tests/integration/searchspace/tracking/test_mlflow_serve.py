"""A registered winner behind MLflow's own server, asked over HTTP for what real images are."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

from searchspace.prediction.find_model import find_model
from searchspace.reporting.model_card.snippets import READ_IMAGE, request_code
from tests.helpers.servers.mlflow_server import free_port, serving_model
from trainables.export.predictor import LOGITS, PROBABILITIES, Predictor

pytestmark = pytest.mark.slow
CHAMPION = "models:/searchspace-first@champion"


@pytest.fixture(scope="module")
def store(searched) -> str:
    """The registry beside the search's folder."""
    subprocess.run([sys.executable, "-m", "searchspace.tracking", str(searched[0])], check=True)
    return f"sqlite:///{searched[0].parent / 'mlflow.db'}"


@pytest.fixture(scope="module")
def address(store):
    with serving_model(CHAMPION, store, free_port()) as found:
        yield found


@pytest.fixture(scope="module")
def runner(searched) -> Predictor:
    return Predictor(find_model(searched[0]))


def pixels(searched: tuple[Path, str], size: tuple[int, int] | None = None) -> np.ndarray:
    """Images of the search's own data, (n, 3, height, width)."""
    files = sorted((searched[0].parent.parent / "colours").glob("*/*1.png"))
    pictures = [Image.open(file).convert("RGB") for file in files]
    return np.stack([np.asarray(picture.resize(size) if size else picture) for picture in pictures]).transpose(
        0, 3, 1, 2
    )


def ask(address: str, body: dict) -> requests.Response:
    return requests.post(f"{address}/invocations", json=body, timeout=60)


@pytest.mark.parametrize("size", [None, (40, 25)], ids=["as they are", "of another size"])
def test_images_are_what_the_shipped_file_says_they_are(searched, address, runner, size):
    images = pixels(searched, size)
    assert len(images) > 5
    bodies = [{"inputs": {"images": images.tolist()}}, {"instances": [{"images": image.tolist()} for image in images]}]
    for body in bodies:
        answer = ask(address, body)
        assert answer.status_code == 200, answer.text
        found = answer.json()["predictions"]
        assert np.allclose(found[PROBABILITIES], runner.probabilities(images), atol=1e-6)
        assert np.allclose(found[LOGITS], runner.logits(images), atol=1e-5)
    classes = [runner.classes[index] for index in np.argmax(found[PROBABILITIES], axis=1)]
    assert set(classes) == {"red", "blue", "grey"}


def test_grey_images_will_do(searched, address, runner):
    images = pixels(searched)[:, :1]
    found = ask(address, {"inputs": {"images": images.tolist()}}).json()["predictions"]
    assert np.allclose(found[PROBABILITIES], runner.probabilities(images), atol=1e-6)


@pytest.mark.parametrize("images", [[[[300]]], [[[[300, -1]]]], [[[["a"]]]], "text"])
def test_what_are_no_images_is_the_callers_mistake(address, images):
    answer = ask(address, {"inputs": {"images": images}})
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "BAD_REQUEST"


def test_the_registry_knows_the_classes_and_what_runs_it(store, runner, monkeypatch):
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    info = mlflow.models.get_model_info(CHAMPION)
    assert info.metadata == {"classes": list(runner.classes), "shape": list(runner.shape)}
    assert set(info.flavors) == {"onnx", "python_function"}
    assert info.signature.inputs.to_dict()[0]["tensor-spec"] == {"dtype": "uint8", "shape": (-1, -1, -1, -1)}
    needs = Path(mlflow.artifacts.download_artifacts(f"{CHAMPION}/requirements.txt")).read_text().split()
    assert [need.partition("==")[0] for need in needs] == ["mlflow", "numpy", "onnx", "onnxruntime"]


def test_the_readmes_lines_ask_it(searched, address, runner, tmp_path, monkeypatch, capsys):
    """As they are shown, but for the port; for a photo on its side, which `read_image` sets upright."""
    exif = Image.Exif()
    exif[274] = 6
    upright = pixels(searched)[:1]
    Image.fromarray(upright[0].transpose(1, 2, 0)).transpose(Image.Transpose.ROTATE_90).save(
        tmp_path / "photo.jpg", "PNG", exif=exif
    )
    monkeypatch.chdir(tmp_path)
    exec(f"import numpy\nfrom PIL import Image, ImageOps\n{READ_IMAGE}\n{request_code(address)}", {})
    assert np.allclose(json.loads(capsys.readouterr().out), runner.probabilities(upright), atol=1e-6)
