"""No home, no name, no cache: an account without an entry, a home that is missing or takes nothing, a foreign cache."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.helpers.made_search import make_search
from tests.helpers.repository import ROOT

NOBODY, OTHER = 12345, 54321
"""Numbers of users that no list of users has."""
AS_NOBODY = [
    "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
    "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search",
]  # fmt: skip
"""Reads this project wherever it lies, and writes nothing but what is its own."""
DROPS = os.getuid() == 0
PROGRAM = """
import getpass, os, stat, subprocess, sys
from pathlib import Path
from searchspace.cli.command import run_command

def main(whole: bool = False):
    from trainables.storage.cache import cache_folder
    here = cache_folder()
    child = [sys.executable, "-c", "from trainables.storage.cache import cache_folder as c; print(c())"]
    assert subprocess.run(child, capture_output=True, text=True, check=True).stdout.strip() == str(here)
    assert stat.S_IMODE(here.stat().st_mode) == 0o700
    assert here.stat().st_uid == os.getuid()
    assert getpass.getuser()
    assert Path.home().is_dir()
    print(here)
    if not whole:
        return
    from trainables.data.store.store import prepare_data
    assert here in Path(prepare_data("digits").path).parents
    import matplotlib.font_manager, huggingface_hub.constants, torch.hub
    assert os.path.isabs(torch.hub.get_dir())
    os.makedirs(torch.hub.get_dir(), exist_ok=True)
    os.makedirs(huggingface_hub.constants.HF_HUB_CACHE, exist_ok=True)

run_command(main)
"""


def run(command, place, **environment):
    """A command of nobody's, with these variables and hardly any other; `place` is its own and where it starts."""
    (place / "tmp").mkdir(exist_ok=True)
    for path in (place, place / "tmp"):
        os.chown(path, NOBODY, NOBODY) if DROPS else None
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TMPDIR": str(place / "tmp"),
                 "PYTHONDONTWRITEBYTECODE": "1", "HF_HUB_OFFLINE": "1", **environment}  # fmt: skip
    return subprocess.run(
        [*(AS_NOBODY if DROPS else []), sys.executable, *command], cwd=place, env=variables, capture_output=True,
        text=True, check=False, timeout=280,
    )  # fmt: skip


@pytest.fixture
def place():
    """A folder that others can come to, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="nobody-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def no_home(_place):
    return {}


def missing_home(_place):
    return {"HOME": "/nonexistent"}


def relative_home(_place):
    return {"HOME": "~"}


def closed_home(place):
    home = place / "home"
    home.mkdir(mode=0o555)
    return {"HOME": str(home)}


def foreign_cache(place):
    return {"HOME": str(make_cache(place, OTHER, 0o755))}


def open_cache(place):
    return {"HOME": str(make_cache(place, NOBODY, 0o777))}


def cache_in_a_file(place):
    home = place / "home"
    (home / ".cache").mkdir(parents=True)
    (home / ".cache" / "searchspace").write_text("")
    return {"HOME": str(home)}


def make_cache(place, owner, mode):
    cache = place / "home" / ".cache" / "searchspace"
    cache.mkdir(parents=True)
    cache.chmod(mode)
    if DROPS:
        for folder in (place / "home", place / "home" / ".cache"):
            os.chown(folder, NOBODY, NOBODY)
        os.chown(cache, owner, owner)
    return place / "home"


HOMES = {
    no_home: "there is no home folder ('~')", missing_home: "there is no home folder ('/nonexistent')",
    relative_home: "there is no home folder ('~')", closed_home: "cannot be made (Permission denied)",
    foreign_cache: f"belongs to user {OTHER}, not to you", open_cache: "is writable for others (mode 0777)",
    cache_in_a_file: "cannot be made (File exists)",
}  # fmt: skip


@pytest.mark.skipif(not DROPS, reason="only root can become somebody who is nowhere known")
@pytest.mark.parametrize("home", HOMES, ids=lambda home: home.__name__)
def test_a_private_temporary_place_stands_for_what_is_missing(place, home):
    whole = ["--whole"] if home in {no_home, closed_home} else []
    done = run(["-c", PROGRAM, *whole], place, **home(place))
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stderr.splitlines() if not line.startswith(("preparing ", "digits: ")))
    assert line.startswith("note: ")
    assert HOMES[home] in line
    assert "SEARCHSPACE_CACHE" in line
    assert done.stdout.strip().startswith(str(place / "tmp" / "searchspace-"))
    assert [path for path in (place / "tmp").iterdir() if path.name.startswith("searchspace-")] == [], "removed"
    assert not (place / "~").exists()


@pytest.mark.skipif(not DROPS, reason="only root can become somebody who is nowhere known")
def test_a_cache_that_is_asked_for_is_refused_with_what_to_set(place):
    given = make_cache(place, OTHER, 0o755) / ".cache" / "searchspace"
    for folder, why in ((given, f"belongs to user {OTHER}, not to you"), (Path("/proc/x"), "cannot be made")):
        done = run(["-c", PROGRAM], place, HOME=str(place), SEARCHSPACE_CACHE=str(folder))
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"error: SEARCHSPACE_CACHE '{folder}': {why}")
        assert line.endswith("; set it to a folder of your own")


@pytest.mark.skipif(not DROPS, reason="only root can become somebody who is nowhere known")
def test_reading_commands_need_no_home(place, digits):
    make_search(place, digits)
    for words in (["leaderboard", "made"], ["replay", "made"],
                  ["run", "--data", "~nobody-at-all/images"]):  # fmt: skip
        done = run(["-m", f"searchspace.{words[0]}", *words[1:]], place)
        lines = done.stderr.splitlines()
        assert not [line for line in lines if not line.startswith(("note: there is no home", "error: --data "))], lines
        assert done.returncode == (2 if words[0] == "run" else 0)
        assert len(lines) <= 2
    assert list((place / "tmp").iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(not DROPS, reason="only root can become somebody who is nowhere known")
def test_a_whole_search_needs_neither_home_nor_name(place):
    small = ("--models", "convnet", "--max-epochs", "3", "--final-seeds", "1", "--finalists", "1")
    done = run(["-m", "searchspace.run", "--trials", "2", "--name", "s", *small], place)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (place / "results" / "s" / "winner" / "model.onnx").is_file()
    assert "warning" not in done.stdout
    assert [path.name for path in (place / "tmp").iterdir() if path.name.startswith("searchspace-")] == []
