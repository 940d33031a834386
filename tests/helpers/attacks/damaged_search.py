"""A finished search whose files are damaged, and the commands that read them."""

import os
import resource
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers.attacks.commands import Done, call, run_function
from tests.helpers.attacks.damage import Damage
from tests.helpers.made_model import make_model
from tests.helpers.made_search import make_search
from trainables.common.errors import UserError
from trainables.config import TrialConfig
from trainables.data.store.data_summary import DataSummary
from trainables.export.model_info import MODEL_INFO, InputSpec, ModelInfo

SECRET = "a line that only its owner knows"
MEMORY = 3 << 30
"""Bytes that the commands may take beyond what this process has."""


@pytest.fixture(scope="module")
def whole(digits: DataSummary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished search that has every kind of file that is read."""
    import torch

    from searchspace.finals.choose_student import Student, write_student
    from trainables.export.model_info import describe_model
    from trainables.export.safetensors_file import write_safetensors
    from trainables.models.build_model import build_untrained

    folder = make_search(tmp_path_factory.mktemp("whole"), digits, trials=6)
    config = TrialConfig(width=4, depth=1)
    card = ModelInfo(
        config=config, seed=0, epochs=1, data=digits, input=InputSpec(side=8, channels=1, mean=(0.5,), std=(0.5,))
    )
    torch.manual_seed(0)
    weights = build_untrained(config, digits).state_dict()
    student = Student(
        trial=1, config=config, cost=None, limits={"max_params": 1000}, teacher="trial 0", temperature=2.0, seed=0,
        epochs=3, status="trained",
    )  # fmt: skip
    write_student(folder, student)
    for part in ("winner", "student"):
        write_safetensors(folder / part / "model.safetensors", weights, describe_model(card))
        (folder / part / MODEL_INFO).write_text(card.model_dump_json())
        make_model(folder / part / "model.onnx")
    for name in ("metrics.json", "artefacts.json", "robustness.json"):
        shutil.copy(folder / "winner" / name, folder / "student" / name)
    assert call(("report",), folder).code == 0
    return folder


def predict(folder: Path) -> Done:
    """The command itself, on an image."""
    from searchspace.predict import run

    return run_function(lambda: sys.exit(run([str(folder), str(folder.parent / "image.png")])))


def serve(folder: Path) -> None:
    """What `serve` does before it listens."""
    from searchspace.prediction.find_model import find_model
    from searchspace.storage.open_results import is_model_file, open_results
    from trainables.export.predictor import Predictor

    Predictor(find_model(open_results(str(folder), is_model_file).folder), threads=1)


def warm_start(folder: Path) -> None:
    """What `run --warm-start` reads."""
    from searchspace.sampling.warm_start import read_best_configs, read_comparable_trials
    from searchspace.spec import make_spec
    from trainables.data.store.store import prepare_data

    read_best_configs([str(folder)])
    read_comparable_trials(
        make_spec(name="x", warm_start=[str(folder)], max_epochs=9, grace_epochs=1), prepare_data("digits")
    )


def resume(folder: Path) -> None:
    """What `run --resume` reads before it prepares anything."""
    from searchspace.preparation.resume import is_finished, load_resumed_spec
    from searchspace.sampling.samplers import make_sampler
    from searchspace.study.study import continue_study

    spec = load_resumed_spec(folder.name, {"results": str(folder.parent)}, set())
    is_finished(spec)
    continue_study(spec, make_sampler(spec, "random"))


def export(folder: Path) -> None:
    """What `export` reads before it measures."""
    from searchspace.finals.choose_student import read_student
    from searchspace.spec import load_spec
    from trainables.export.exported_files import read_export_record
    from trainables.export.weights import read_classifier
    from trainables.storage.files import is_file

    load_spec(folder)
    student = read_student(folder)
    for part in ("winner", *(["student"] if student and student.status == "trained" else [])):
        if is_file(folder / part / MODEL_INFO):
            read_classifier(folder / part)
            read_export_record(folder / part)


def cards(folder: Path) -> None:
    """What model cards are written from, after an export."""
    from searchspace.reporting.model_card.card_file import render
    from searchspace.reporting.results import read_classifier_results

    for part in ("winner", "student"):
        try:
            render(read_classifier_results(folder / part))
        except FileNotFoundError as error:  # `read_classifier_results` says so, and `try_cards` answers it
            raise UserError(str(error)) from error


COMMANDS: dict[str, Callable[[Path], Done]] = {
    "leaderboard": lambda folder: call(("leaderboard",), folder),
    "leaderboard csv": lambda folder: call(("leaderboard", "--format", "csv"), folder),
    "leaderboard --compare": lambda folder: call(("leaderboard",), folder, "--compare", "0", "1"),
    "leaderboard of all": lambda folder: call(("leaderboard", "--format", "json"), folder.parent),
    "compare searches": lambda folder: call(("leaderboard",), folder.parent, "--compare", "made", "other"),
    "report": lambda folder: call(("report",), folder),
    "replay": lambda folder: call(("replay",), folder),
    "predict": predict,
    **{
        function.__name__: lambda folder, function=function: run_function(lambda: function(folder))  # type: ignore[misc]
        for function in (serve, warm_start, resume, export, cards)
    },
}  # fmt: skip


@contextmanager
def bounded() -> Iterator[None]:
    """No more memory than `MEMORY` beyond what this process has."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


class Place:
    """A results folder with the search to damage, a good one beside it, and a file outside of both."""

    def __init__(self, whole: Path, root: Path) -> None:
        """Copy the `whole` search into a folder below `root`."""
        self.root, self.whole, self.folder = root, whole, root / "results" / "made"
        self.outside = root / "outside" / "secret.txt"
        self.outside.parent.mkdir()
        self.outside.write_text(SECRET)
        shutil.copytree(whole, self.folder)
        shutil.copytree(whole, root / "results" / "other")
        from PIL import Image

        Image.new("RGB", (8, 8)).save(root / "results" / "image.png")
        self.before = self._state()

    def _state(self) -> dict[str, tuple[int, int]]:
        """Every file outside of the searches' folders, and of the good search all but its report."""
        return {
            path.relative_to(self.root).as_posix(): (path.lstat().st_size, path.lstat().st_mtime_ns)
            for top in ("outside", "results/other")
            for path in (self.root / top).rglob("*")
            if path.is_file()
        }

    def fault(self, damage: Damage, command: str) -> str:
        """What a command does wrong on a damaged search; empty where nothing is."""
        file = self.folder / damage.file
        damage.apply(file)
        try:
            with bounded():
                done = COMMANDS[command](self.folder)
        except BaseException as error:  # also one that hung
            return f"{type(error).__name__}: {str(error)[:300]}"
        finally:
            self._mend(file)
        return self._judge(done)

    def _judge(self, done: Done) -> str:
        last = (done.error.splitlines() or [""])[-1]
        if done.code not in {0, 2} or "Traceback" in done.error:
            return f"code {done.code}: {last[:300]}"
        errors = [line for line in done.error.splitlines() if line.startswith("error: ")]
        if done.code == 2 and (len(errors) != 1 or last != errors[0]):
            return f"not one line: {done.error[:300]!r}"
        if SECRET in done.output + done.error:
            return "told what lies outside"
        report = self.folder / "report.html"
        if report.is_file() and not report.is_symlink() and SECRET in report.read_text(errors="replace"):
            return "wrote what lies outside into the report"
        now = self._state()
        return "" if now == self.before else f"changed {now.keys() ^ self.before.keys() or 'a file outside'}"

    def _mend(self, file: Path) -> None:
        if file.is_dir() and not file.is_symlink():
            shutil.rmtree(file)
        else:
            file.unlink(missing_ok=True)
        for path in self.whole.rglob("*"):
            name = path.relative_to(self.whole)
            here = self.folder / name
            if path.is_file() and (
                not here.is_file() or here.is_symlink() or here == file or name.suffix == ".journal"
            ):
                shutil.copy2(path, here)


@pytest.fixture
def place(whole: Path, tmp_path: Path) -> Place:
    return Place(whole, tmp_path)
