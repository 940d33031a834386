"""Results that cannot be written: one line that names the place and the reason, code 2, and no format is given up."""

import errno
import os
import resource
import subprocess
import sys

import pytest

from searchspace.cli.command import run_command
from searchspace.export import check_shipped
from searchspace.reporting.tables.board_view import filter_rows
from searchspace.storage.output_folder import explain_write_errors
from tests.helpers.made_search import make_search
from tests.helpers.repository import ROOT
from trainables.common.errors import UserError
from trainables.export.exported_files import DroppedFormat, ExportRecord
from trainables.storage.write_errors import find_write_error


@pytest.fixture(scope="module")
def results(digits, tmp_path_factory):
    return make_search(tmp_path_factory.mktemp("results"), digits).parent


def call(results, *words, limit: int | None = None):
    """Code, and what is said, of a command; no file may have more than `limit` bytes."""
    confine = None if limit is None else lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    done = subprocess.run(  # no thread holds a lock that it needs
        [sys.executable, "-m", f"searchspace.{words[0]}", *map(str, words[1:])], capture_output=True, check=False,
        text=True, cwd=results, env=os.environ | {"PYTHONPATH": str(ROOT)}, preexec_fn=confine,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("command", ["report", "export"])
def test_a_place_where_nothing_can_be_is_one_line(results, command):
    for place in ("/proc/x.html", "/proc/x/y"):
        assert call(results, command, "made", "--output", place) == (
            2, "", f"error: --output '{place}': cannot be written (No such file or directory); give another place\n",
        )  # fmt: skip


def test_a_full_disk_under_a_file_is_no_fault_of_standard_output(results, tmp_path):
    """A limit on a file's size; what fails is the same call."""
    target = tmp_path / "x.html"
    code, out, err = call(results, "report", "made", "--output", target, limit=100_000)
    assert (code, out) == (2, "")
    assert err == f"error: --output '{target}': cannot be written (File too large); give another place\n"
    assert not list(tmp_path.iterdir())
    code, out, err = call(results, "report", "made", limit=100_000)
    assert (code, out) == (2, "")
    assert err == "error: 'made': cannot be written (File too large); give --output PATH to write elsewhere\n"


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT])
def test_ones_own_folder_that_takes_nothing_is_one_line(tmp_path, number):
    with pytest.raises(UserError, match=r"cannot be written .*give --output PATH"), explain_write_errors(tmp_path, ""):
        raise OSError(number, os.strerror(number), str(tmp_path / "report.html"))


@pytest.mark.parametrize("number", [errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOENT])
def test_only_what_is_written_is_said_not_to_be_writable(tmp_path, number):
    with (
        pytest.raises(UserError, match=r"--output .*cannot be written"),
        explain_write_errors(tmp_path, str(tmp_path / "a" / "b")),
    ):
        raise OSError(number, os.strerror(number), str(tmp_path / "a"))
    with pytest.raises(OSError, match="missing"), explain_write_errors(tmp_path, ""):
        raise OSError(number, "missing", str(tmp_path / "search.json"))
    with pytest.raises(OSError, match="elsewhere"), explain_write_errors(tmp_path / "a", str(tmp_path / "b")):
        raise OSError(number, "elsewhere", str(tmp_path / "a" / "search.json"))


def test_the_place_without_room_is_named(tmp_path):
    with pytest.raises(UserError, match=r"^'/elsewhere/file': cannot be written"), explain_write_errors(tmp_path, ""):
        raise OSError(errno.ENOSPC, "full", "/elsewhere/file")


def test_long_names_and_loops_of_links(results, tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    for place in (tmp_path / ("x" * 300), tmp_path / "a" / "x.html"):
        code, out, err = call(results, "report", "made", "--output", place)
        assert (code, out) == (2, "")
        assert err.startswith(f"error: --output '{place}': ")
        assert err.count("\n") == 1


def test_a_writers_error_is_found_below_what_an_exporter_makes_of_it(tmp_path):
    full = OSError(errno.ENOSPC, "full")
    wrapped = RuntimeError("unexpected position")
    wrapped.__context__ = full
    assert find_write_error(wrapped, tmp_path) is full
    assert find_write_error(FileNotFoundError(errno.ENOENT, "no compiler", "g++"), tmp_path) is None
    assert find_write_error(ValueError("unknown operator"), tmp_path) is None


def test_none_of_the_formats_asked_for_is_code_1_with_the_reason(capsys, monkeypatch):
    shipment = ExportRecord.model_construct(
        artefacts=(), dropped=(DroppedFormat(format="onnx", reason="loses 9 points"),)
    )
    monkeypatch.setattr(sys, "argv", ["export"])
    with pytest.raises(SystemExit) as ended:
        run_command(lambda: check_shipped(shipment))
    assert ended.value.code == 1
    assert capsys.readouterr().err == "error: --formats: none is shipped: onnx is not shipped: loses 9 points\n"


def test_a_condition_that_does_not_parse_names_no_columns():
    with pytest.raises(UserError) as wrong:
        filter_rows([{"score": 1.0, "model": "a"}], "x ===")
    assert "columns are" not in str(wrong.value)
    assert "is no condition such as" in str(wrong.value)
