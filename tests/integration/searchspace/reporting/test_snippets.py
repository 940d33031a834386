"""The lines that card, report and docs show, run as they stand: they answer as `predict` does, for any image."""

import html
import io
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from searchspace.predict import predict
from searchspace.reporting.html.report_file import write_report
from searchspace.reporting.model_card.card_file import write_card
from searchspace.reporting.model_card.snippets import (
    READ_IMAGE,
    onnx_code,
    program_code,
    request_code,
    weights_code,
)
from tests.helpers.documents.blocks import python_blocks
from tests.helpers.images.image_kinds import kinds, refused
from tests.helpers.images.photos import EDGES, make_photo, write_photos
from tests.helpers.made_search import make_exported_search
from tests.helpers.made_winner import train_winner
from tests.helpers.repository import ROOT
from trainables.common.reporter import SilentReporter
from trainables.config import TrialConfig
from trainables.data.data_options import DataOptions
from trainables.data.decoding.bad_images import BadImageError
from trainables.data.decoding.decode import decode
from trainables.data.store.store import open_store, prepare_data
from trainables.export.exported_files import ONNX_FORMATS, read_export_record
from trainables.export.exporter import ExportRequest, export_classifier
from trainables.export.formats.resize import Resize
from trainables.export.predictor import Predictor
from trainables.workers.worker_context import ProcessGroup, WorkerContext

EXPORT_PAGE, SERVING_PAGE = "docs/export.md", "docs/serving.md"
SHIPPED = "results/digits/winner"
"""Folder of the files that the pages run."""
FEW = {
    "png-rgba-turned-6",
    "png-i;16",
    "png-16-bits-transparent",
    "jpeg-cmyk",
    "gif-animated",
    "gif-palette-transparent",
}
"""One image of each line of the code."""


@pytest.fixture(scope="module")
def winner(shipped, digits, tmp_path_factory) -> Path:
    """Of a made search, with model card and report, in a place whose relative path is that of the docs."""
    place = tmp_path_factory.mktemp("place")
    folder = make_exported_search(place / "made", digits, shipped[0])
    write_card(folder)
    write_report(folder.parent)
    (place / "results").mkdir()
    (place / "results" / "digits").symlink_to(folder.parent)
    return place / "results" / "digits" / "winner"


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> dict[str, Path]:
    """Images of the size of the digits: what differs then is how they are read."""
    folder = tmp_path_factory.mktemp("images")
    for name, content in kinds((8, 8)):
        (folder / name).write_bytes(content)
    return {path.name: path for path in folder.iterdir()}


def few(images: Mapping[str, Path]) -> dict[str, Path]:
    return {name: path for name, path in images.items() if name in FEW}


def in_card(winner: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)\n```$", (winner / "README.md").read_text(), re.DOTALL | re.MULTILINE)


def in_report(winner: Path) -> list[str]:
    shown = re.findall(r"<pre[^>]*>(.*?)</pre>", (winner.parent / "report.html").read_text(), re.DOTALL)
    texts = [html.unescape(re.sub(r"<[^>]+>", "", text)).strip() for text in shown]
    return [text for text in texts if "photo.jpg" in text]


def in_docs() -> list[str]:
    """For an ONNX file, and for a `.pt2` file."""
    return [block.code for block in python_blocks(ROOT / EXPORT_PAGE) if not block.reason]


def answers(code: str, images: Mapping[str, Path], capsys) -> dict[str, tuple[str, float]]:
    """What the code prints for each image, which lies in the working folder as `photo.jpg` meanwhile."""
    found = {}
    compiled = compile(code, "snippet", "exec")
    for name, path in images.items():
        Path("photo.jpg").write_bytes(path.read_bytes())
        exec(compiled, {"__name__": "__main__"})
        said = capsys.readouterr().out.split()
        found[name] = said[0], float(said[1])
    Path("photo.jpg").unlink()
    return found


def predicted(file: Path, images: Mapping[str, Path]) -> dict[str, tuple[str, float]]:
    guesses = predict(Predictor(file.resolve()), [str(path) for path in images.values()], 1, 32)
    return {name: guess.classes[0] for name, guess in zip(images, guesses, strict=True)}


def assert_same(found: Mapping[str, tuple[str, float]], expected: Mapping[str, tuple[str, float]]) -> None:
    assert {name: answer[0] for name, answer in found.items()} == {name: answer[0] for name, answer in expected.items()}
    assert {name: answer[1] for name, answer in found.items()} == pytest.approx(
        {name: answer[1] for name, answer in expected.items()}, abs=1e-4
    )
    assert len(set(expected.values())) >= min(30, len(expected) / 2), "read otherwise, they are answered otherwise"


def test_pixels_are_those_of_training():
    read = reader()
    wrong = []
    for name, content in kinds():
        mine = read(io.BytesIO(content))
        for channels in (1, 3):
            theirs = decode(content, name, (*mine.shape[2:], channels)).transpose(2, 0, 1)
            fitted = Resize(channels, *mine.shape[2:])(torch.from_numpy(mine))[0].numpy()
            if not np.array_equal(fitted, theirs):
                wrong.append((name, channels, np.abs(fitted.astype(int) - theirs).max()))
    assert wrong == []


def test_what_training_refuses_the_lines_refuse():
    read = reader()
    for name, content in refused():
        with pytest.raises(BadImageError):
            decode(content, name, (4, 4, 3))
        with pytest.raises(AssertionError, match="pixels of unknown scale"):
            read(io.BytesIO(content))


def reader() -> Callable[[object], np.ndarray]:
    """`read_image`, as it is shown."""
    names: dict = {}
    exec("import numpy\nfrom PIL import Image, ImageOps\n" + READ_IMAGE, names)
    return names["read_image"]


def test_a_damaged_exif_is_never_another_answer():
    """It is the same one, or Pillow's own error."""
    from PIL import Image

    read, rng, same = reader(), np.random.default_rng(0), 0
    exif = Image.Exif()
    exif[274], exif[271], exif[282] = 6, "a camera", 72.0
    whole = np.frombuffer(exif.tobytes(), np.uint8)
    picture = Image.fromarray(rng.integers(0, 256, (4, 6, 3), dtype=np.uint8))
    for _ in range(200):
        damaged = whole[: rng.integers(8, len(whole) + 1)].copy()
        damaged[rng.integers(6, len(damaged), 2)] = rng.integers(0, 256, 2)
        out = io.BytesIO()
        picture.save(out, "PNG", exif=damaged.tobytes())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                mine = read(io.BytesIO(out.getvalue()))
            except Exception:  # not a silent one
                continue
            theirs = decode(out.getvalue(), "it", (*mine.shape[2:], 3)).transpose(2, 0, 1)
        assert np.array_equal(mine[0], theirs)
        same += 1
    assert same > 100


def test_the_cards_lines_answer_as_predict_does(winner, images, monkeypatch, capsys):
    onnx, program, weights = in_card(winner)
    best = read_export_record(winner.resolve()).fastest_onnx.file
    monkeypatch.chdir(winner)
    assert_same(answers(onnx, images, capsys), predicted(winner / best, images))
    expected = predicted(winner / "model.onnx", few(images))
    assert_same(answers(program, few(images), capsys), expected)
    assert_same(answers(weights, few(images), capsys), expected)


def test_the_reports_lines_answer_as_predict_does(winner, images, monkeypatch, capsys):
    (shown,) = in_report(winner)
    monkeypatch.chdir(winner.parent)
    best = read_export_record(winner.resolve()).recommended_file
    file = best.file if best.format in ONNX_FORMATS else "model.onnx"  # which answers as the others in float32 do
    assert_same(answers(shown, few(images), capsys), predicted(winner / file, few(images)))


def test_the_docs_lines_answer_as_predict_does(winner, images, monkeypatch, capsys):
    monkeypatch.chdir(winner.parent.parent.parent)
    expected = predicted(winner / "model.onnx", few(images))
    for code in in_docs():
        assert_same(answers(code, few(images), capsys), expected)


def test_all_lines_that_are_shown_are_made_in_one_place(winner):
    shipment = read_export_record(winner.resolve())
    assert in_card(winner) == [onnx_code(shipment.fastest_onnx.file), program_code("model.pt2"), weights_code()]
    write = onnx_code if shipment.recommended in ONNX_FORMATS else program_code
    assert in_report(winner) == [write(f"winner/{shipment.recommended_file.file}")]
    assert in_docs() == [onnx_code(f"{SHIPPED}/model.onnx"), program_code(f"{SHIPPED}/model.pt2")]
    assert request_code("http://127.0.0.1:5001") in [block.code for block in python_blocks(ROOT / SERVING_PAGE)]


def test_lines_for_a_gpu_differ_by_the_device_alone():
    assert program_code("a.pt2", "cuda").replace('.to("cuda")', "") == program_code("a.pt2")


@pytest.fixture(scope="module")
def fitted(tmp_path_factory, cache) -> Path:
    """Winner's folder, with its card, of a made search on photographs that are stored whole."""
    place = tmp_path_factory.mktemp("fitted")
    folder = write_photos(place / "photos", {"train": 30, "val": 8, "test": 20})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEARCHSPACE_CACHE", str(cache))
        data = prepare_data(str(folder), options=DataOptions(keep_aspect=True, store_side=40))
        context = WorkerContext.open(ProcessGroup(0, 1, torch.device("cpu")), open_store(data))
        config = TrialConfig(width=8, depth=1, lr=1e-2, batch_size=32, input_size=24, fit="pad")
        train_winner(context, place / "trained", config, epochs=3)
        export_classifier(
            place / "trained", ExportRequest(("pt2", "onnx"), max_drop=100.0, data=data.origin), SilentReporter()
        )
        winner = make_exported_search(place / "made", data, place / "trained")
    write_card(winner)
    return winner


def hard_photos(folder: Path) -> dict[str, Path]:
    """A photograph from a phone, one with transparency, one of 16 bits, a wide one, a small one."""
    from PIL import Image

    photo, wide = make_photo(EDGES["red"], (90, 130), 1), make_photo(EDGES["blue"], (60, 400), 2)
    exif = Image.Exif()
    exif[274] = 6
    photo.save(folder / "turned.jpg", quality=90, exif=exif)
    clear = photo.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(photo.size))
    clear.save(folder / "clear.png")
    deep = np.asarray(photo.convert("L")).astype(np.uint16) * 257 + 100
    Image.fromarray(np.minimum(deep, 65535).astype(np.uint16)).save(folder / "deep.png")
    wide.save(folder / "wide.png")
    wide.resize((13, 9)).save(folder / "small.png")
    return {path.name: path for path in sorted(folder.iterdir())}


def test_the_cards_lines_fit_photographs_as_training_did(fitted, tmp_path, monkeypatch, capsys):
    (tmp_path / "photos").mkdir()
    photos = hard_photos(tmp_path / "photos")
    onnx, program, weights = in_card(fitted)
    monkeypatch.chdir(fitted)
    expected = predicted(fitted / "model.onnx", photos)
    assert len(set(expected.values())) == len(photos)
    for code in (onnx, program, weights):
        assert_same(answers(code, photos, capsys), expected)
