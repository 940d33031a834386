"""A real Ray of a search's own: nobody else hears it, nobody else gets in, and nothing of it stays."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.helpers.repository import ROOT
from tests.helpers.servers.listening import beyond_loopback, listening

HOLDING = """
import json, os, sys
from searchspace.cluster.connect import connected
with connected(""):
    import ray
    ray.get(ray.remote(lambda: None).remote())
    node = ray._private.worker._global_node
    context = ray.get_runtime_context()
    found = {"address": context.gcs_address, "folder": node.temp_dir, "token": os.environ["RAY_AUTH_TOKEN"]}
    print(json.dumps(found), flush=True)
    sys.stdin.read()
print(json.dumps({name: os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_MODE")}))
"""
JOINING = """
from searchspace.cluster.connect import connected
from searchspace.cli.command import run_command
def main(address: str) -> None:
    with connected(address) as room:
        print("joined", room.nodes)
run_command(main)
"""


def environment(home: Path, **changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return kept | {"HOME": str(home), "PYTHONPATH": str(ROOT)} | changes


@pytest.fixture(scope="module")
def held(tmp_path_factory) -> Iterator[tuple[psutil.Process, dict[str, str], Path]]:
    """A process that holds a Ray of its own, what it says of it, and its home; afterwards, nothing of it is left."""
    home = tmp_path_factory.mktemp("home")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    # Neither another cluster nor another token in the environment matters.
    given = environment(home, RAY_ADDRESS="127.0.0.1:1", RAY_AUTH_MODE="disabled", RAY_AUTH_TOKEN="given")
    with subprocess.Popen([sys.executable, "-c", HOLDING], env=given, **pipes) as holder:
        told = json.loads(holder.stdout.readline())
        process = psutil.Process(holder.pid)
        started = process.children(recursive=True)
        yield process, told, home
        holder.stdin.close()
        after = json.loads(holder.stdout.readline())
    assert after == {"RAY_AUTH_TOKEN": "given", "RAY_AUTH_MODE": "disabled"}, "the environment is as it was"
    assert not Path(told["folder"]).parent.exists()
    assert psutil.wait_procs(started, timeout=20)[1] == []


def test_everything_of_ray_listens_on_loopback_only(held):
    process, told, _ = held
    found = listening(process)
    assert {name for _, name in found} >= {"gcs_server", "raylet"}
    assert beyond_loopback(found) == set()
    assert told["address"].startswith("127.0.0.1:")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Ray finds its processes by their process group")
def test_no_process_of_ray_is_in_the_drivers_process_group(held):
    """It holds `ray._private.services.ConsolePopen`, by which Ray starts its processes, to what is made of it."""
    process = held[0]
    started = process.children(recursive=True)
    assert {p.name() for p in started} >= {"gcs_server", "raylet"}
    assert [p for p in started if os.getpgid(p.pid) == os.getpgid(process.pid)] == []
    assert [p for p in started if os.getsid(p.pid) == os.getsid(process.pid)] == []


def test_the_token_is_fresh_and_in_no_command_line_and_no_file(held):
    process, told, home = held
    assert re.fullmatch("[0-9a-f]{64}", told["token"])
    started = [process, *process.children(recursive=True)]
    assert not [p for p in started if told["token"] in " ".join(p.cmdline())]
    files = [p for folder in (home, Path(told["folder"])) for p in folder.rglob("*") if p.is_file()]
    assert files, "there are Ray's logs at least"
    assert not [file for file in files if told["token"].encode() in file.read_bytes()]


def test_rays_sockets_and_logs_are_behind_a_folder_of_the_owner(held):
    folder = Path(held[1]["folder"])
    assert list(folder.glob("session_*/sockets/plasma_store"))
    assert folder.parent.stat().st_mode & 0o777 == 0o700


def join(address: str, home: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    # Where its own address is 127.0.0.1, a driver does not take that address for another one's.
    given = environment(home, RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0", **changes)
    command = [sys.executable, "-c", JOINING, address]
    return subprocess.run(command, env=given, capture_output=True, text=True, check=False, timeout=100)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "(RAY_AUTH_MODE is not set, the token is from ~/.ray/auth_token, if there is one)"),
        ({"RAY_AUTH_TOKEN": "0" * 64}, "(RAY_AUTH_MODE is token, the token is from RAY_AUTH_TOKEN)"),
        ({"RAY_AUTH_MODE": "token"}, "(RAY_AUTH_MODE is token, the token is from ~/.ray/auth_token, if there is one)"),
        ({"RAY_AUTH_TOKEN_PATH": "/no/such/file"}, "(RAY_AUTH_MODE is token, the token is from RAY_AUTH_TOKEN_PATH)"),
    ],
    ids=["without a token", "with another token", "without one although it is on", "with a file that is not there"],
)
def test_who_comes_without_the_token_is_refused_with_one_line(held, given, said):
    _, told, home = held
    done = join(told["address"], home, **given)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: --address {told['address']!r}: the cluster refuses this search's token; set ")
    assert line.endswith(said)
    assert "0" * 64 not in line


def test_who_has_the_token_joins(held, tmp_path):
    _, told, home = held
    for given in ({"RAY_AUTH_TOKEN": told["token"]}, {"RAY_AUTH_TOKEN_PATH": str(tmp_path / "token")}):
        (tmp_path / "token").write_text(told["token"])
        (tmp_path / "token").chmod(0o600)
        done = join(told["address"], home, **given)
        assert (done.returncode, done.stderr) == (0, "")
        assert "joined (Node(cpus=" in done.stdout
