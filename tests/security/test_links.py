"""Attack: links, pipes, devices and endless files in a results folder that somebody else made.

Which files a command reads is traced, so that a new one is attacked as well.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from searchspace import predict
from searchspace.reporting.html.report_file import write_report
from searchspace.reporting.model_card.card_file import write_card
from searchspace.storage.output_folder import copy_search
from tests.helpers.attacks.commands import Done, _stream, _text, call, in_time
from tests.helpers.attacks.hostile import HUGE, KINDS, SECRET, seen
from tests.helpers.made_model import make_model
from tests.helpers.made_search import make_search
from trainables.common.errors import DamagedError
from trainables.config import TrialConfig
from trainables.data.store.data_summary import DataSummary
from trainables.export.model_info import MODEL_INFO, ModelInfo
from trainables.models.preprocess import InputSpec
from trainables.storage import files

BOARD = ("leaderboard", "--columns", "trial,score")
COMMANDS = ("leaderboard", "replay", "report", "card", "predict", "copy")


@pytest.fixture(scope="module")
def finished(digits: DataSummary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished search with an exported winner and an image beside it."""
    folder = make_search(tmp_path_factory.mktemp("results"), digits, trials=4)
    make_model(folder / "winner" / "model.onnx")
    card = ModelInfo(
        config=TrialConfig(),
        seed=0,
        epochs=9,
        data=digits,
        input=InputSpec(side=8, channels=1, mean=(0.5,), std=(0.25,)),
    )
    (folder / "winner" / MODEL_INFO).write_text(card.model_dump_json())
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of it to attack, beside a secret outside."""
    copy = tmp_path / "results" / "made"
    shutil.copytree(finished, copy)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text(SECRET)
    return copy


def run(command: str, folder: Path) -> Done:
    """Run one of `COMMANDS` on a folder, as the command line would, where that takes no minutes."""
    if command in {"leaderboard", "replay", "report"}:
        return call((command, *BOARD[1:]) if command == BOARD[0] else (command,), folder)
    output, error = _stream(), _stream()
    with redirect_stdout(output), redirect_stderr(error), in_time(20):
        try:
            if command == "predict":
                return Done(predict.run([str(folder), str(folder.parent / "photo.png")]), _text(output), _text(error))
            if command == "card":
                write_card(folder / "winner")
            else:
                copy_search(folder, str(folder.parent / "copy"))
        except DamagedError as damage:
            return Done(2, _text(output), f"error: {damage}\n")
    return Done(0, _text(output), _text(error))


@contextmanager
def tracing(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[set[str]]:
    """Names of the files in `folder` that are opened while the block runs."""
    opened: set[str] = set()
    original = files._open

    def noted(path: Path, *more: object, **options: object) -> int:
        if path.is_relative_to(folder):
            opened.add(str(path.relative_to(folder)))
        return original(path, *more, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(files, "_open", noted)
        yield opened


@contextmanager
def in_its_place(file: Path, kind: str, secret: Path) -> Iterator[None]:
    """Something else in the place of a file, or of one that is missing, while the block runs."""
    file.parent.mkdir(exist_ok=True)
    there = file.exists()
    if there:
        file.rename(file.with_name("aside"))
    KINDS[kind](file, secret)
    yield
    file.rmdir() if kind == "folder" else file.unlink()
    if there:
        file.with_name("aside").rename(file)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_file_is_a_way_out(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.helpers.images.data_sets import write_images

    write_images(folder.parent / "photos", 1, (8, 8), (9, 9, 9))
    (folder.parent / "photos" / "0.png").rename(folder.parent / "photo.png")
    secret, outside = folder.parents[1] / "outside" / "secret", seen(folder.parents[1] / "outside")
    with tracing(monkeypatch, folder) as opened:
        assert run(command, folder).code == 0
    assert opened, "nothing was read"
    for name in sorted(opened):
        for kind in KINDS:
            if (command, kind) == ("copy", "folder"):
                continue  # which is a copy without that file
            with in_its_place(folder / name, kind, secret):
                done = run(command, folder)
            what = f"{name} as a {kind}: {done}"
            assert done.refused_in_one_line, what
            assert f"damaged: '{folder / name}': " in done.error or "is not yours alone" in done.error, what
            assert SECRET not in done.output + done.error, what
    assert seen(folder.parents[1] / "outside") == outside
    assert not (folder / "report.html").exists() or SECRET not in (folder / "report.html").read_text()


@pytest.mark.parametrize("part", ["winner", "."])
def test_no_folder_is_a_way_out(part: str, folder: Path) -> None:
    """`winner/` is a link, or the whole folder is one: the second is the one that a person named, and is followed."""
    moved = folder.parents[1] / "outside" / "moved"
    (folder / part).resolve().rename(moved)
    (folder / part).symlink_to(moved)
    before = seen(moved)
    done = call(("report",), folder)
    if part == ".":
        assert done.code == 0
        return
    assert done.code == 2
    assert done.error == f"error: damaged: '{folder / part}': is a link; put what it leads to in its place\n"
    with pytest.raises(DamagedError, match="is a link"):
        write_card(folder / part)
    assert seen(moved) == before


WRITTEN = {
    "report.html": write_report,
    "winner/README.md": lambda folder: write_card(folder / "winner"),
}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in {"folder", "sparse"}])
@pytest.mark.parametrize("name", WRITTEN)
def test_no_write_leads_out(name: str, kind: str, folder: Path) -> None:
    """The file itself and its predictable neighbour are prepared."""
    secret, outside = folder.parents[1] / "outside" / "secret", seen(folder.parents[1] / "outside")
    for prepared in (folder / name, folder / f"{name}.partial"):
        KINDS[kind](prepared, secret)
    WRITTEN[name](folder)
    assert (folder / name).is_file()
    assert not (folder / name).is_symlink()
    assert seen(folder.parents[1] / "outside") == outside


READING = (("leaderboard",), ("leaderboard", "--format", "csv"), ("replay",), ("run", "--trials", "2", "--warm-start"))


def test_reading_commands_write_nothing_there(folder: Path) -> None:
    before = seen(folder)
    for command in READING[:3]:
        assert call(command, folder).code == 0
    assert seen(folder) == before


@pytest.mark.parametrize("command", ["report", "export"])
def test_somebody_elses_folder_is_left_alone(command: str, folder: Path) -> None:
    """One file there that others may write is enough."""
    (folder / "winner").chmod(0o777)
    before = seen(folder)
    done = call((command,), folder)
    assert done.refused_in_one_line
    assert "is not yours alone" in done.error
    assert "give --output PATH" in done.error
    assert seen(folder) == before


def test_a_report_of_it_goes_elsewhere(folder: Path, tmp_path: Path) -> None:
    (folder / "winner").chmod(0o777)
    before = seen(folder)
    for output, file in (("mine.html", "mine.html"), ("mine", "mine/report.html")):
        done = call(("report",), folder, "--output", str(tmp_path / output))
        assert done.code == 0, done
        page = (tmp_path / file).read_text()
        assert "The winner is trial 0" in page
        assert 'href="winner/README.md"' not in page, "which does not lie beside it"
    assert seen(folder) == before


def test_an_output_within_the_folder_is_refused(folder: Path) -> None:
    for command in ("report", "export"):
        done = call((command,), folder, "--output", str(folder / "winner" / "new"))
        assert done.refused_in_one_line
        assert "--output" in done.error


def test_a_copy_to_export_in_has_what_exports_read(folder: Path, tmp_path: Path) -> None:
    (folder / "trials" / "0").mkdir(parents=True)
    (folder / "trials" / "0" / "link").symlink_to("/etc/passwd")
    before, copy = seen(folder), copy_search(folder, str(tmp_path / "mine"))
    names = {name for name in seen(copy) if (copy / name).is_file()}
    assert names == {
        name
        for name in before
        if (folder / name).is_file() and not name.startswith("trials") and not name.endswith(".onnx")
    }
    assert copy_search(folder, str(tmp_path / "mine")) == copy, "the same search may be exported again"
    assert write_report(copy).is_file()
    assert seen(folder) == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(Exception, match="holds something else"):
        copy_search(folder, str(tmp_path / "other"))


def test_a_trained_winner_is_read_without_links(trained: Path, tmp_path: Path) -> None:
    """Weights, too, are no link, and no larger than their model."""
    from trainables.export.weights import read_classifier

    shutil.copytree(trained, tmp_path / "winner")
    weights = tmp_path / "winner" / "model.safetensors"
    weights.rename(tmp_path / "aside")
    for kind, make in KINDS.items():
        make(weights, tmp_path / "aside")
        with in_time(20), pytest.raises(DamagedError):
            read_classifier(tmp_path / "winner")
        weights.rmdir() if kind == "folder" else weights.unlink()
    assert os.stat(tmp_path / "aside").st_size < HUGE
