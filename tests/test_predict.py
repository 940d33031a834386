"""Predicting from the command line: any image, any form, and nothing but numpy, Pillow and onnxruntime."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.made_model import CLASSES, make_model
from trainables.deploy.runner import Runner

ALLOWED = {"numpy", "PIL", "onnxruntime", "searchspace", "trainables"}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return make_model(tmp_path_factory.mktemp("model") / "model.onnx")


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    Image.new("RGB", (20, 10), (250, 250, 250)).save(folder / "b.png")
    Image.new("L", (9, 30), 5).save(folder / "a.jpg")
    Image.new("RGBA", (8, 8), (10, 20, 30, 255)).save(folder / "more" / "c, d.webp")
    (folder / ".hidden.png").write_bytes(b"")
    (folder / "notes.txt").write_text("no image")
    return folder


def call(*arguments: str | Path, stdin: bytes = b"", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "searchspace.predict", *map(str, arguments)],
        input=stdin, capture_output=True, check=False, cwd=cwd, env=os.environ | {"PYTHONUTF8": "1"},
    )  # fmt: skip
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def test_a_folder_in_order_as_the_model_says(model, photos):
    done = call(model, photos, "--format", "json", "--batch", "2")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(row["image"]).name for row in rows] == ["a.jpg", "b.png", "c, d.webp"]
    assert [row["classes"][0]["class"] for row in rows] == [CLASSES[0], CLASSES[1], CLASSES[0]]
    dark = np.full((1, 3, 8, 8), 250, np.uint8)
    expected = Runner(model).probabilities(dark)[0]
    found = {entry["class"]: entry["probability"] for entry in rows[1]["classes"]}
    assert [found[name] for name in CLASSES] == pytest.approx(expected.tolist(), abs=1e-5)


def test_csv_holds_any_name_and_text_none_that_a_terminal_acts_on(model, photos):
    done = call(model, photos / "b.png", photos / "more", "--format", "csv", "--top", "2")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["rank"], row["class"]) for row in rows] == [
        ("1", CLASSES[1]), ("2", CLASSES[2]), ("1", CLASSES[0]), ("2", CLASSES[2]),
    ]  # fmt: skip
    text = call(model, photos / "b.png", "--top", "1").stdout
    assert "\x1b" not in text
    assert len(text.splitlines()) == 1
    assert text.rstrip().endswith(" %")


def test_standard_input_is_an_image(model, photos):
    done = call(model, "-", "--format", "json", stdin=(photos / "b.png").read_bytes())
    assert json.loads(done.stdout)["image"] == "-"
    assert json.loads(done.stdout)["classes"][0]["class"] == CLASSES[1]


def test_a_bad_image_stops_no_other(model, photos):
    (photos / "bad.png").write_bytes(b"no image")
    (photos / "gone.png").symlink_to(photos / "nowhere.png")
    done = call(model, photos)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 3
    assert "bad.png (no image, or its header is damaged)" in done.stderr
    assert "gone.png" in done.stderr
    alone = call(model, photos / "bad.png")
    assert (alone.returncode, alone.stdout) == (2, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.onnx", "a.jpg"], "error: model 'none.onnx': no such file"),
        (["MODEL", "a.jpeg"], "error: image 'a.jpeg': no such file or folder; did you mean 'a.jpg'?"),
        (["MODEL", "a.jpg", "--format", "jsn"], "error: --format 'jsn': not one of text, csv, json; did you mean"),
        (["MODEL", "a.jpg", "--top", "0"], "error: argument --top: 0 is less than 1"),
        (["MODEL", "a.jpg", "--topp", "1"], "error: unrecognized arguments: --topp 1"),
        (["MODEL"], "error: the following arguments are required: IMAGE"),
        ([".", "a.jpg"], "error: model '.': holds no exported search (no winner/artefacts.json)"),
        (["a.jpg", "a.jpg"], "error: model 'a.jpg': onnxruntime does not load it"),
        (["MODEL", "empty"], "error: 'empty': no images there ("),
    ],
)
def test_what_is_wrong_is_one_line(model, photos, arguments, said):
    (photos / "empty").mkdir()
    done = call(*(str(model) if a == "MODEL" else a for a in arguments), cwd=photos)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert done.stderr.startswith(said)


def test_nothing_else_is_imported(model, photos):
    """What is neither Python's own nor one of three packages cannot be imported, as where it is not installed."""
    code = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] not in sys.stdlib_module_names | {ALLOWED!r}:\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "from searchspace.predict import run\n"
        "sys.exit(run(sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(model), str(photos)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 3


@pytest.mark.slow
def test_an_environment_of_three_packages_is_enough(model, photos, tmp_path):
    root = Path(__file__).parent.parent
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "bare")], check=True)
    python = tmp_path / "bare" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "numpy", "pillow", "onnxruntime"], check=True)
    done = subprocess.run(
        [python, "-m", "searchspace.predict", model, photos], capture_output=True, text=True, check=False, cwd=root
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 3
