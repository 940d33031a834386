"""Predicting from the command line: any image, any form, and nothing but numpy, Pillow and onnxruntime."""

import csv
import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from searchspace.predict import run
from tests.helpers.images.image_kinds import encoded, picture
from tests.helpers.made_model import CLASSES, make_model
from tests.helpers.repository import ROOT
from trainables.common.escaping import as_cell
from trainables.data.layouts.listing import IMAGE_SUFFIXES
from trainables.export.predictor import Predictor

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
    assert (done.returncode, done.stderr) == (0, f"note: {str(photos)!r} holds 1 that is no image: notes.txt\n")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(row["image"]).name for row in rows] == ["a.jpg", "b.png", "c, d.webp"]
    assert [row["classes"][0]["class"] for row in rows] == [CLASSES[0], CLASSES[1], CLASSES[0]]
    dark = np.full((1, 3, 8, 8), 250, np.uint8)
    expected = Predictor(model).probabilities(dark)[0]
    found = {entry["class"]: entry["probability"] for entry in rows[1]["classes"]}
    assert [found[name] for name in CLASSES] == pytest.approx(expected.tolist(), abs=1e-5)


def test_csv_holds_any_name_and_text_none_that_a_terminal_acts_on(model, photos):
    done = call(model, photos / "b.png", photos / "more", "--format", "csv", "--top", "2")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["rank"], row["class"]) for row in rows] == [
        ("1", as_cell(CLASSES[1])), ("2", CLASSES[2]), ("1", CLASSES[0]), ("2", CLASSES[2]),
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
    assert "gone.png (a link that leads nowhere)" in done.stderr
    assert done.stderr.endswith("error: 2 of 5 images cannot be read\n")
    alone = call(model, photos / "bad.png")
    assert (alone.returncode, alone.stdout) == (2, "")


NEVER_READ = {
    "a.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100),
    "b.HIF": b"\0\0\0\x18ftypmif1\0\0\0\0heicmif1" + bytes(100),
    "c.cr2": b"II*\0" + bytes(100),
    "d.jxl": b"\xff\x0a" + bytes(100),
    "e.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "f.jpg": b"",
    "g.png": b"\x89PNG\r\n\x1a\n" + bytes(20),
    "h.jpg": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "heic-without-suffix": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100),
}
"""Files that somebody may take for images."""
NO_IMAGES = {
    "a.mov": b"\0\0\0\x14ftypqt  " + bytes(50), "b.txt": b"text", "c": b"neither name nor content say", "d.json": b"{}",
}  # fmt: skip


def own_run(capfd, *arguments: str | Path) -> tuple[int, list[str], list[str]]:
    """Exit code and lines of the command, in this process."""
    code = run(list(map(str, arguments)))
    said = capfd.readouterr()
    return code, said.out.splitlines(), said.err.splitlines()


def test_every_file_of_a_folder_is_answered_or_told(model, tmp_path, capfd):
    """Whatever its suffix, or with none; what cannot be read by name and with its reason, and counted."""
    folder = tmp_path / "photos"
    folder.mkdir()
    made = encoded(picture("RGB"), "PNG")
    names = [*(f"image{suffix}" for suffix in IMAGE_SUFFIXES), "IMAGE.JPG", "without", "image.strange"]
    for name in names:
        (folder / name).write_bytes(made)
    for name, content in (NEVER_READ | NO_IMAGES).items():
        (folder / name).write_bytes(content)
    (folder / "leads-out.png").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").write_bytes(made)
    (folder / "leads-nowhere.png").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "waits.png")
    code, answered, told = own_run(capfd, model, folder, "--top", "1")
    assert code == 1
    assert sorted(line.split(": ")[0] for line in answered) == sorted(
        str(folder / n) for n in [*names, "leads-out.png"]
    )
    unread = sorted([*NEVER_READ, "leads-nowhere.png", "waits.png"])
    assert [line.split(" (")[0] for line in told[:-2]] == [f"error: image {folder / name}" for name in unread]
    assert told[-2:] == [
        f"note: {str(folder)!r} holds {len(NO_IMAGES)} that are no images: {', '.join(sorted(NO_IMAGES))}",
        f"error: {len(unread)} of {len(names) + 1 + len(unread)} images cannot be read",
    ]


def test_a_folder_without_a_readable_image_is_an_error(model, tmp_path, capfd):
    for name in ("a.heic", "c.cr2"):
        (tmp_path / name).write_bytes(NEVER_READ[name])
    code, answered, told = own_run(capfd, model, tmp_path)
    assert (code, answered, told[-1]) == (2, [], "error: 2 of 2 images cannot be read")
    (tmp_path / "texts").mkdir()
    for number in range(12):
        (tmp_path / "texts" / f"{number:02}.txt").touch()
    code, answered, (line,) = own_run(capfd, model, tmp_path / "texts")
    assert (code, answered) == (2, [])
    assert line.endswith("holds 12 that are no images: " + ", ".join(f"{n:02}.txt" for n in range(10)) + " and 2 more")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.onnx", "a.jpg"], "error: model 'none.onnx': no such file"),
        (["MODEL", "a.jpeg"], "error: image 'a.jpeg': no such file or folder; did you mean 'a.jpg'?"),
        (["MODEL", "a.jpg", "--format", "jsn"], "error: --format 'jsn': not one of text, csv, json; did you mean"),
        (["MODEL", "a.jpg", "--top", "0"], "error: --top '0': expected a whole number of at least 1"),
        (["MODEL", "a.jpg", "--topp", "1"], "error: unrecognized arguments: --topp 1"),
        (["MODEL"], "error: the following arguments are required: IMAGE"),
        ([".", "a.jpg"], "error: model '.': holds no exported search (no winner/artefacts.json)"),
        (["a.jpg", "a.jpg"], "error: model 'a.jpg': onnxruntime does not load it (an image; the model comes first)"),
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
    (photos / "notes.txt").unlink()
    done = subprocess.run(
        [sys.executable, "-c", code, str(model), str(photos)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 3


@pytest.mark.slow
def test_an_environment_of_three_packages_is_enough(model, photos, tmp_path):
    root = ROOT
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "bare")], check=True)
    python = tmp_path / "bare" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "numpy", "pillow", "onnxruntime"], check=True)
    (photos / "notes.txt").unlink()
    done = subprocess.run(
        [python, "-m", "searchspace.predict", model, photos], capture_output=True, text=True, check=False, cwd=root
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 3


BOUNDED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (3_000_000_000, 3_000_000_000))
from searchspace.predict import run
sys.exit(run(sys.argv[1:]))
"""
"""The command, within memory that what never ends would exceed."""


def test_what_never_ends_is_too_large_and_stops_no_other(model, photos):
    command = [sys.executable, "-c", BOUNDED, str(model), "/dev/zero", "-", str(photos / "b.png"), "--top", "1"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with open("/dev/zero", "rb") as endless:
        done = subprocess.run(command, stdin=endless, capture_output=True, check=False, text=True, env=environment)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr.splitlines() == [
        "error: image /dev/zero (too large: more than 256,000,000 bytes)",
        "error: image - (too large: more than 256,000,000 bytes)",
        "error: 2 of 3 images cannot be read",
    ]


def test_a_huge_file_is_too_large_and_a_named_pipe_is_read(model, photos, tmp_path, capfd):
    with (tmp_path / "huge.png").open("wb") as huge:
        huge.truncate(1_000_000_001)
    code, answered, told = own_run(capfd, model, tmp_path / "huge.png")
    assert (code, answered) == (2, [])
    assert told == [f"error: image {tmp_path / 'huge.png'} (has 1,000,000,001 bytes, more than 1,000,000,000)"]
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes((photos / "b.png").read_bytes()))
    writer.start()
    assert own_run(capfd, model, tmp_path / "pipe", "--top", "1")[0] == 0
    writer.join()


def test_a_link_to_a_folder_is_left_out_and_said(model, photos, tmp_path, capfd):
    (tmp_path / "elsewhere").mkdir()
    (photos / "linked").symlink_to(tmp_path / "elsewhere")
    code, answered, told = own_run(capfd, model, photos, "--top", "1")
    assert (code, len(answered)) == (0, 3)
    assert f"note: {str(photos)!r} holds 1 link to a folder, left out: linked" in told


def test_no_search_at_all_says_what_starts_one(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert own_run(capfd, "latest", "x.png") == (
        2, [], ["error: model 'latest': no such file; searchspace run starts a search"],
    )  # fmt: skip
