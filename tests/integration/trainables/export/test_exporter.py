"""Each shipped format takes raw images of any size, says what it is, and answers as PyTorch does."""

import errno
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from trainables.common.errors import UserError
from trainables.common.reporter import SilentReporter
from trainables.export.exported_files import EXPORT_RECORD, read_export_record
from trainables.export.exporter import ExportRequest, export_classifier
from trainables.export.formats.export_formats import FORMATS, ExportContext, ExportFormat
from trainables.export.parity_check import ParityError, Reference, check_parity
from trainables.export.predictor import Predictor
from trainables.export.weights import WEIGHTS, read_classifier


@pytest.fixture
def copied(trained, tmp_path) -> Path:
    """The winner, before anything was shipped of it."""
    shutil.copytree(trained, tmp_path / "winner", ignore=shutil.ignore_patterns("*.onnx", "*.pt2", EXPORT_RECORD))
    return tmp_path / "winner"


def test_all_formats_are_proven_and_measured(shipped):
    folder, shipment = shipped
    assert [artefact.format for artefact in shipment.artefacts] == ["pytorch", "pt2", "onnx", "onnx-int8"]
    assert not shipment.dropped
    assert read_export_record(folder) == shipment
    for artefact in shipment.artefacts:
        assert artefact.size_mb == (folder / artefact.file).stat().st_size / 1e6
        assert artefact.proof.count == 270
        assert artefact.proof.agreement >= (0.97 if artefact.format == "onnx-int8" else 1.0)
        assert 0 < artefact.speed.latency_ms <= artefact.speed.latency_p99_ms
        assert {32} <= set(artefact.speed.throughput) <= {32, 256}, "a batch that would take long is left out"
        assert artefact.speed.memory_mb > 10
    whole, integer = shipment.find("onnx"), shipment.find("onnx-int8")
    assert whole.proof.largest_difference < 1e-4 < integer.proof.largest_difference
    assert integer.size_mb < 0.5 * whole.size_mb
    fastest = max(shipment.artefacts[1:], key=lambda artefact: artefact.speed.rate)
    assert shipment.recommended == fastest.format
    assert shipment.fastest_onnx.format in {"onnx", "onnx-int8"}
    assert shipment.recommended_file is fastest
    assert (shipment.cost.latency_ms, shipment.cost.size_mb) == (whole.speed.latency_ms, whole.size_mb)
    assert shipment.cost.parameters == sum(p.numel() for p in read_classifier(folder)[0].parameters())


def test_all_files_may_be_read_by_the_same_people(shipped, tmp_path):
    (tmp_path / "plain").touch()
    files = [path for path in shipped[0].rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".safetensors", ".json", ".onnx", ".pt2"}
    assert {path.stat().st_mode for path in files} == {(tmp_path / "plain").stat().st_mode}


@pytest.mark.parametrize("file", ["model.onnx", "model-int8.onnx"])
def test_onnx_takes_any_image_and_names_its_classes(shipped, digits, file):
    runner = Predictor(shipped[0] / file)
    assert runner.classes == digits.classes
    assert runner.shape == (1, 8, 8)
    assert runner.metadata["fingerprint"] == digits.fingerprint
    assert json.loads(runner.metadata["input"])["mean"]
    assert runner.metadata["license"] == "yours"
    assert runner.metadata["license_terms"].startswith("trained from scratch on digits, ")
    assert json.loads(runner.metadata["versions"])["torch"] in torch.__version__
    rng = np.random.default_rng(0)
    for shape in ((1, 1, 8, 8), (3, 3, 8, 8), (2, 3, 40, 31), (1, 1, 5, 90)):
        probabilities = runner.probabilities(rng.integers(0, 256, shape, dtype=np.uint8))
        assert probabilities.shape == (shape[0], 10)
        assert probabilities.sum(axis=1) == pytest.approx(1.0, abs=1e-4)


def test_an_enlarged_image_is_the_same_image(shipped, digits_store):
    runner = Predictor(shipped[0] / "model.onnx")
    image = digits_store.images[5]
    large = np.asarray(Image.fromarray(image[0]).resize((64, 64), Image.Resampling.BICUBIC))
    colour = np.repeat(large[None, None], 3, axis=1)
    found = runner.probabilities(np.concatenate([colour, np.repeat(large[None, None], 3, axis=1)]))[0]
    assert found.argmax() == runner.probabilities(image[None])[0].argmax()
    assert np.allclose(found, runner.probabilities(large[None, None])[0], atol=1e-5), "grey as grey RGB"


def test_a_program_needs_torch_alone(shipped, digits_store, tmp_path):
    folder, images = shipped[0], digits_store.images[:3]
    np.save(tmp_path / "images.npy", images)
    code = (
        "import json, sys, numpy, torch\n"
        "said = {'metadata.json': ''}\n"
        "module = torch.export.load(sys.argv[1], extra_files=said).module()\n"
        "images = torch.from_numpy(numpy.load('images.npy'))\n"
        "large = torch.nn.functional.interpolate(images, size=(19, 23))\n"
        "answers = [module(images)[0].tolist(), list(module(large[:1])[1].shape)]\n"
        "print(json.dumps([*answers, json.loads(said['metadata.json'])]))\n"
        "assert not [name for name in sys.modules if name.startswith(('trainables', 'searchspace'))]\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(folder / "model.pt2")],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    logits, shape, said = json.loads(done.stdout)
    assert np.allclose(logits, Predictor(folder / "model.onnx").logits(np.asarray(images)), atol=1e-4)
    assert shape == [1, 10]
    assert json.loads(said["shape"]) == [1, 8, 8]


def test_the_weights_say_what_they_are(shipped, digits):
    from safetensors import safe_open

    with safe_open(shipped[0] / WEIGHTS, "pt") as file:
        assert json.loads(file.metadata()["classes"]) == list(digits.classes)
        assert file.metadata()["license"] == "yours"


def test_half_precision_runs_where_there_is_hardware_for_it(copied):
    """In bfloat16 on this CPU, as it would in float16 on a GPU."""
    from trainables.export.benchmark.benchmark_process import load
    from trainables.export.formats.torch_program import export_program, read_program_metadata

    classifier, card = read_classifier(copied)
    export_program(classifier, card, copied / "half.pt2", torch.device("cpu"), torch.bfloat16)
    images = np.random.default_rng(0).integers(0, 256, (4, 1, 8, 8), dtype=np.uint8)
    found = load(copied / "half.pt2", 1)(images)
    with torch.inference_mode():
        expected = classifier(torch.from_numpy(images))
    assert found.dtype == torch.float32
    assert torch.allclose(found, expected, atol=0.5, rtol=0.1)
    assert json.loads(read_program_metadata(copied / "half.pt2")["classes"]) == list(card.data.classes)


def test_what_fails_is_deleted_and_said(copied, monkeypatch):
    def write_wrong(goods: ExportContext) -> str:
        """The network with its classes exchanged."""
        other, _ = read_classifier(goods.folder)
        with torch.no_grad():
            other.network.head[-1].weight.copy_(other.network.head[-1].weight.flip(0))
        FORMATS["onnx"].write(ExportContext(goods.folder, other, goods.card, goods.store, goods.max_drop, goods.seed))
        (goods.folder / "model.onnx").rename(goods.path_of("onnx-int8"))
        return ""

    def write_nothing(goods: ExportContext) -> str:
        goods.path_of("pt2").write_bytes(b"half a file")
        raise RuntimeError("not exportable\nand pages more")

    monkeypatch.setitem(FORMATS, "onnx-int8", ExportFormat(write_wrong, exact=False))
    monkeypatch.setitem(FORMATS, "pt2", ExportFormat(write_nothing, exact=True))
    shipment = export_classifier(copied, ExportRequest(("pt2", "onnx-int8")), SilentReporter())
    reasons = {dropped.format: dropped.reason for dropped in shipment.dropped}
    assert reasons["pt2"] == "not exportable"
    assert "points of test accuracy, more than --max-drop 0.3" in reasons["onnx-int8"]
    assert not list(copied.glob("*.onnx")) + list(copied.glob("*.pt2"))
    assert (shipment.recommended, shipment.fastest_onnx, shipment.cost) == ("pytorch", None, None)


def test_a_full_disk_is_an_error_of_an_export_and_no_dropped_format(copied, monkeypatch):
    def find_no_room(goods: ExportContext) -> str:
        goods.path_of("pt2").write_bytes(b"half a file")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(FORMATS, "pt2", ExportFormat(find_no_room, exact=True))
    with pytest.raises(OSError, match="No space left"):
        export_classifier(copied, ExportRequest(("pt2",), strict=True), SilentReporter())
    assert not list(copied.glob("*.pt2"))


def test_a_proof_counts_points_and_digits():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(1000, 4)).astype(np.float32)
    exam = Reference(np.zeros((1000, 1, 2, 2), np.uint8), logits.argmax(axis=1), logits, np.arange(1000))
    perfect = exam.compare_logits(logits)
    assert (perfect.accuracy, perfect.agreement, perfect.largest_difference) == (1.0, 1.0, 0.0)
    worse = logits.copy()
    worse[:4] = -worse[:4]
    found = exam.compare_logits(worse)
    assert found.accuracy == found.agreement == 0.996
    check_parity(found, perfect, exact=False, max_drop=0.41)
    with pytest.raises(ParityError, match=r"loses 0\.40 points of test accuracy, more than --max-drop 0\.3$"):
        check_parity(found, perfect, exact=False, max_drop=0.3)
    with pytest.raises(ParityError, match="probabilities differ"):
        check_parity(exam.compare_logits(2 * logits), perfect, exact=True, max_drop=100)
    for wrong in (np.nan, np.inf):
        with pytest.raises(ParityError, match="no numbers"):
            exam.compare_logits(logits + np.float32(wrong))


def test_no_model_is_a_users_error(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        Predictor(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(UserError, match="onnxruntime does not load it"):
        Predictor(tmp_path / "bad.onnx")
