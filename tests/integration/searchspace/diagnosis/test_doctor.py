"""`searchspace doctor` on this machine, with a Ray that really starts."""

import json
import os
import subprocess
import sys

from tests.helpers.commands import RAY_TOKEN
from tests.helpers.repository import ROOT
from trainables.common.environment import core_count


def doctor(*arguments, **variables):
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "COLUMNS": "80", "RAY_AUTH_TOKEN": RAY_TOKEN} | variables
    return subprocess.run(
        [sys.executable, "-m", "searchspace", "doctor", *arguments],
        capture_output=True, text=True, check=False, env=environment, cwd=ROOT,
    )  # fmt: skip


def test_it_says_what_this_machine_has_and_starts_ray():
    done = doctor("--ray", "--format", "json", http_proxy="http://me:hunter22@proxy:1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "hunter22" not in done.stdout
    found = {(row["section"], row["name"]): row for row in json.loads(done.stdout)}
    assert found["Ray", "start"]["value"].startswith("started in ")
    assert found["Hardware", "cores"]["value"].startswith(f"{core_count()} usable of {os.cpu_count()} (os.cpu_count())")
    assert found["Software", "torch"]["state"] == "fine"
    assert "tf_efficientnet_lite0" in found["Pretrained weights", "everywhere"]["value"]
    assert os.environ["SEARCHSPACE_CACHE"] in found["Places and limits", "cache"]["value"]
    assert "http_proxy" in found["Places and limits", "network"]["value"]


def test_what_no_search_works_with_ends_it_with_1(tmp_path):
    (tmp_path / "file").write_text("")
    done = doctor(SEARCHSPACE_CACHE=str(tmp_path / "file" / "cache"))
    assert done.returncode == 1
    assert "  cache            broken" in done.stdout
    assert "cannot work: cache" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 200
    assert "\x1b" not in done.stdout, "it is no terminal"
