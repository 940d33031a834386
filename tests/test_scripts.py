"""Shell scripts: what a linter says of them, and how a search is begun or gone on with."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted(path for path in ROOT.rglob("*.sh") if not {".venv", ".git"} & set(path.parts))
BIN = Path(sys.executable).parent


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_say(script):
    shellcheck = shutil.which("shellcheck", path=f"{BIN}:{os.environ['PATH']}")
    assert shellcheck, "comes with the development extras"
    done = subprocess.run([shellcheck, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_going_on_begins_a_search_once_and_resumes_it_ever_after(tmp_path):
    (tmp_path / "python").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "python").chmod(0o755)
    variables = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PID_FILE": str(tmp_path / "pid")}

    def go_on() -> str:
        command = [
            "bash",
            str(ROOT / "cluster" / "go_on.sh"),
            str(tmp_path),
            "first",
            "--trials",
            "6",
            "--set",
            "lr=0.1 ",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=variables)
        return done.stdout.strip("\n")

    always = f"-m searchspace.run --address auto --results {tmp_path}"
    assert go_on() == f"{always} --name first --trials 6 --set lr=0.1 "
    assert (tmp_path / "pid").read_text().strip().isdigit()
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "search.json").touch()
    assert go_on() == f"{always} --resume first"
