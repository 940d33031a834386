"""Attack: links in the place of all that an export writes, in a folder of one's own that an archive brought."""

import shutil
from pathlib import Path

import pytest

from tests.helpers.attacks.hostile import SECRET, seen
from tests.helpers.commands import command
from tests.helpers.made_search import make_exported_search
from trainables.common.reporter import SilentReporter
from trainables.data.store.data_summary import DataSummary
from trainables.export.exported_files import EXPORT_RECORD, FORMAT_FILES
from trainables.export.exporter import ExportRequest, export_classifier
from trainables.export.robustness import ROBUSTNESS
from trainables.storage.folders import list_folder

WRITTEN = (FORMAT_FILES["onnx"], EXPORT_RECORD, ROBUSTNESS)


def test_an_export_writes_through_no_link(trained: Path, tmp_path: Path) -> None:
    """Each file is a link to one that is there, and the predictable name beside it one to a file that is not."""
    folder, outside = tmp_path / "winner", tmp_path / "outside"
    shutil.copytree(trained, folder, ignore=shutil.ignore_patterns("*.onnx", "*.pt2", EXPORT_RECORD, ROBUSTNESS))
    outside.mkdir()
    for name in WRITTEN:
        (outside / name).write_text(SECRET)
        (folder / name).symlink_to(outside / name)
        (folder / f"{name}.partial").symlink_to(outside / f"{name}.pth")
    before = seen(outside)
    shipment = export_classifier(folder, ExportRequest(("onnx",), max_drop=1.0), SilentReporter())
    assert [artefact.format for artefact in shipment.artefacts] == ["pytorch", "onnx"], shipment.dropped
    assert seen(outside) == before
    assert not any((folder / name).is_symlink() for name in WRITTEN)


@pytest.mark.slow
def test_somebody_elses_winner_is_exported_elsewhere(
    digits: DataSummary, shipped: tuple[Path, object], cache: Path, tmp_path: Path
) -> None:
    winner = make_exported_search(tmp_path / "results", digits, shipped[0])
    winner.chmod(0o777)
    before = seen(winner.parent)
    arguments = ("export", str(winner.parent), "--formats", "onnx", "--output", "mine")
    done = command(*arguments, home=tmp_path, cache=cache, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "shipped in mine/winner" in done.stdout
    found = set(list_folder(tmp_path / "mine" / "winner"))
    assert found >= {"model.onnx", "model.safetensors", "artefacts.json", "README.md"}
    assert (tmp_path / "mine" / "report.html").is_file()
    assert seen(winner.parent) == before
