"""Which model `predict` and `serve` run: of a search, of a winner, of a file; and what is said where there is none."""

import shutil
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from searchspace.prediction.find_model import find_model
from tests.helpers.made_model import make_model
from trainables.common.errors import UserError
from trainables.export.exported_files import read_export_record
from trainables.export.predictor import Predictor


@pytest.fixture(scope="module")
def search(shipped, tmp_path_factory) -> Path:
    """A search's folder with a winner, and a student that is the same."""
    folder = tmp_path_factory.mktemp("results") / "digits"
    for name in ("winner", "student"):
        shutil.copytree(shipped[0], folder / name)
    return folder


def why(path: Path) -> str:
    """What is said of a model that is none, in one line."""
    with pytest.raises(UserError) as error:
        Predictor(find_model(path))
    said = str(error.value)
    assert len(said.splitlines()) == 1
    assert said.startswith(f"model {str(path)!r}: ")
    return said


def test_a_search_its_winner_and_its_student_are_run_by_their_fastest_file(search):
    best = read_export_record(search / "winner").fastest_onnx.file
    assert find_model(search) == find_model(search / "winner") == search / "winner" / best
    assert find_model(search / "student") == search / "student" / best
    assert Predictor(find_model(search / "student")).classes == tuple("0123456789")


def test_what_was_deleted_is_not_taken(search, tmp_path):
    shutil.copytree(search, tmp_path / "digits")
    best = read_export_record(search / "winner").fastest_onnx.file
    (other,) = {"model.onnx", "model-int8.onnx"} - {best}
    (tmp_path / "digits" / "winner" / best).unlink()
    assert find_model(tmp_path / "digits").name == other


@pytest.mark.parametrize("record", [None, "", "{}", "[]", '{"artefacts": [{"file": "model-int8.onnx"}]}'])
def test_without_a_record_that_can_be_read_the_plain_file_is_taken(search, tmp_path, record):
    for name in ("model.onnx", "model-int8.onnx"):
        shutil.copy(search / "winner" / name, tmp_path / name)
    if record is not None:
        (tmp_path / "artefacts.json").write_text(record)
    assert find_model(tmp_path) == tmp_path / "model.onnx"


def test_a_folder_of_one_model_is_that_model_and_of_several_they_are_named(tmp_path):
    make_model(tmp_path / "mine.onnx")
    assert find_model(tmp_path) == tmp_path / "mine.onnx"
    make_model(tmp_path / "other.onnx")
    assert why(tmp_path).endswith("holds several; give one: mine.onnx, other.onnx")


def test_every_other_file_of_a_winner_leads_to_one_that_runs(search):
    """Whatever is given of a winner's folder, its model is run, or named."""
    files = [path for path in (search / "winner").iterdir() if path.is_file()]
    assert {path.suffix for path in files} >= {".safetensors", ".pt2", ".json", ".onnx"}
    for file in files:
        if file.suffix == ".onnx":
            Predictor(find_model(file))
        else:
            assert f"; give {str(search / 'winner' / 'model.onnx')!r}" in why(file)


def test_what_holds_no_model_says_what_to_do(search, tmp_path):
    assert "no such file; did you mean 'winner'?" in why(search / "winer")
    assert f"holds searches; give one, such as {str(search)!r}" in why(search.parent)
    assert "holds no exported search (no winner/artefacts.json) and no .onnx file" in why(tmp_path)
    (tmp_path / "search.json").write_text("{}")
    assert f"`searchspace run --resume {tmp_path.name}` resumes it" in why(tmp_path)
    (tmp_path / "winner").mkdir()
    shutil.copy(search / "winner" / "model.json", tmp_path / "winner" / "model.json")
    for path in (tmp_path, tmp_path / "winner"):
        assert f"`searchspace export {tmp_path} --formats onnx` adds that" in why(path)


def changed(file: Path, **fields: str) -> bytes:
    """A model's content, with other metadata."""
    model = onnx.load(str(file))
    for entry in model.metadata_props:
        entry.value = fields.get(entry.key, entry.value)
    return model.SerializeToString()


def foreign() -> bytes:
    """A model of another's: floats in, under another name."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", values[:1], values[1:])
    return helper.make_model(graph, ir_version=10).SerializeToString()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda good: b"", "an empty file"),
        (lambda good: b"text", "no ONNX model, or a damaged one"),
        (lambda good: bytes(1000), "no ONNX model, or a damaged one"),
        (lambda good: good.read_bytes()[:300], "no ONNX model, or a damaged one"),
        (lambda good: good.read_bytes().replace(b"classes", b"\xff\xfe\xfdsses"), ""),
        (lambda good: good.read_bytes().replace(b"ReduceMean", b"ReduceNope"), "no ONNX model, or a damaged one"),
        (lambda good: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "`git lfs pull`"),
        (lambda good: b"<!DOCTYPE html><title>404</title>", "a web page"),
        (lambda good: b"\xff\xd8\xff\xe0" + bytes(50), "an image; the model comes first"),
        (lambda good: foreign(), "its inputs are not 'images', uint8, alone"),
        (lambda good: changed(good, classes="no list"), "it names no classes"),
        (lambda good: changed(good, classes="[]"), "it names no classes"),
        (lambda good: changed(good, classes="[1, 2, 3]"), "it names no classes"),
        (lambda good: changed(good, classes='["a", "b"]'), "it names 2 classes and tells 3 apart"),
        (lambda good: changed(good, shape="[3, 8]"), "it does not say what images it was trained on"),
        (lambda good: changed(good, shape='{"c": 3}'), "it does not say what images it was trained on"),
    ],
)
def test_a_wrong_or_broken_model_is_one_line(tmp_path, capfd, make, said):
    (tmp_path / "good").mkdir()
    good = make_model(tmp_path / "good" / "model.onnx")
    (tmp_path / "wrong.onnx").write_bytes(make(good))
    found = why(tmp_path / "wrong.onnx")
    assert said in found
    assert "; give the folder of a search, or an .onnx file" in found
    assert capfd.readouterr() == ("", "")


def test_the_line_names_no_place_in_anothers_sources(tmp_path):
    good = make_model(tmp_path / "good.onnx")
    model = onnx.load(str(good))
    model.ir_version = 99
    (tmp_path / "new.onnx").write_bytes(model.SerializeToString())
    assert "Unsupported model IR version" in why(tmp_path / "new.onnx")
    assert "onnxruntime_src" not in why(tmp_path / "new.onnx")
