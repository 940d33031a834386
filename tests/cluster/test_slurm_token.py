"""`cluster/slurm.sh` with a stub for `srun` that looks around: who can read the token, and where it is."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.helpers.cluster.hosts import CHECKOUT

LOOK = """#!/bin/bash
stat -c '%a %F' "$(dirname "$RAY_AUTH_TOKEN_PATH")" "$RAY_AUTH_TOKEN_PATH" > "$SEEN"
token=$(cat "$RAY_AUTH_TOKEN_PATH")
echo "${#token}" >> "$SEEN"
grep -lz "$token" /proc/$PPID/cmdline /proc/$$/cmdline /proc/$PPID/environ /proc/$$/environ >> "$SEEN"
echo "$token" > "$SEEN.token"
exit "$CODE"
"""


@pytest.mark.parametrize("code", [0, 3])
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_token_is_its_owners_new_and_gone_afterwards(code, umask, tmp_path):
    work = tmp_path / "work"
    (work / ".venv" / "bin").mkdir(parents=True)
    (work / ".venv" / "bin" / "activate").touch()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "srun").write_text(LOOK)
    (tmp_path / "bin" / "srun").chmod(0o755)
    tokens = set()
    for _ in range(2):
        done = subprocess.run(
            ["bash", str(CHECKOUT / "cluster" / "slurm.sh"), "first"], cwd=work, umask=umask, check=False,
            env={"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "SLURM_JOB_ID": "7", "SLURM_JOB_NUM_NODES": "1",
                 "SEEN": str(tmp_path / "seen"), "CODE": str(code), "HEAD_ADDRESS": "127.0.0.1"},
        )  # fmt: skip
        assert done.returncode == code
        seen = (tmp_path / "seen").read_text().splitlines()
        assert seen == ["700 directory", "600 regular file", "64"], "and in no command line and no environment"
        tokens.add(Path(f"{tmp_path}/seen.token").read_text())
        assert [path.name for path in work.iterdir()] == [".venv"]
    assert len(tokens) == 2
