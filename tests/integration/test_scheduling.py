"""Of several test processes, one runs a whole file, and all files that share a costly fixture."""

import os
import re
import subprocess
import sys

import pytest

from tests.helpers.repository import ROOT
from tests.helpers.scheduling import COSTLY_FIXTURES, scope_of_file

OWN = "tests/unit/test_docs.py"


def test_a_file_is_run_whole_and_alone():
    assert scope_of_file(OWN) == OWN


@pytest.mark.parametrize("name", COSTLY_FIXTURES)
def test_files_that_share_a_costly_fixture_run_in_one_process(name):
    users = [
        str(file.relative_to(ROOT))
        for file in (ROOT / "tests").rglob("test_*.py")
        if f"({name}" in file.read_text(encoding="utf-8") or f", {name}" in file.read_text(encoding="utf-8")
    ]
    scopes = {scope_of_file(user) for user in users}
    assert users
    assert scopes <= set(COSTLY_FIXTURES)


def test_two_processes_are_given_whole_files(tmp_path):
    """Real processes: pytest-xdist's own marks of groups were once not heeded, and nothing said so."""
    files = ["tests/unit/test_docs.py", "tests/unit/test_choices.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadscope", "-v", "-p", "no:cacheprovider", *files],
        cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    ran = {(file, process) for process, file in re.findall(r"\[(gw\d)\].*? (tests/\S+?\.py)::", done.stdout)}
    assert sorted(file for file, _ in ran) == sorted(files), "each file in one process"
