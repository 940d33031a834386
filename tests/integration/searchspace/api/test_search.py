"""`searchspace.search` in programs of their own: events, results, and a host that stays as it was."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from searchspace.api.result import load
from tests.helpers.commands import RAY_TOKEN
from tests.helpers.repository import ROOT

PHASES = ["preparation", "search", "finals", "winner", "test", "export", "report"]


def start_host(scenario: str, folder: Path, cache: Path) -> "subprocess.Popen[str]":
    environment = os.environ | {
        "HOME": str(folder), "SEARCHSPACE_CACHE": str(cache), "HF_HUB_OFFLINE": "1", "RAY_AUTH_TOKEN": RAY_TOKEN,
        "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-m", "tests.helpers.host_program", scenario], cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def run_host(scenario: str, folder: Path, cache: Path) -> dict[str, Any]:
    with start_host(scenario, folder, cache) as host:
        out, errors = host.communicate(timeout=280)
    assert host.returncode == 0, errors
    found: dict[str, Any] = json.loads(out)
    return found | {"printed": errors}


def check_was_saved(folder: Path) -> None:
    """Every trial that was not over has a checkpoint of its last epoch, or of one that it trained meanwhile."""
    result = load(folder)
    assert not result.is_finished
    assert result.leaderboard["epoch"].sum() >= 1
    for row in result.leaderboard.to_dict("records"):
        if row["status"] in {"running", "at rung"} and row["epoch"]:
            saved = (folder / "trials" / f"trial-{row['trial']}" / "checkpoints").glob("epoch-*.safetensors")
            assert max(int(path.stem.removeprefix("epoch-")) for path in saved) >= row["epoch"]
    assert "Traceback" not in (folder / "search.log").read_text()


@pytest.fixture(scope="module")
def twice(cache, tmp_path_factory) -> dict[str, Any]:
    """A whole search and one that a callback stopped, of one program."""
    folder = tmp_path_factory.mktemp("host")
    return run_host("search_twice", folder, cache) | {"place": str(folder)}


def events_of(twice: dict[str, Any], *types: str) -> list[dict[str, Any]]:
    return [event for event in twice["events"] if event["type"] in types]


def test_a_search_leaves_its_program_as_it_was(twice):
    assert twice["before"] == twice["after"]
    assert twice["before"]["children"] == []
    assert twice["printed"] == "", "a program that is no terminal's hears by callbacks and logging alone"


def test_events_tell_the_whole_search_in_order(twice):
    assert twice["in main thread"] == [True]
    assert [event["name"] for event in events_of(twice, "PhaseStarted")] == PHASES
    assert [event["name"] for event in events_of(twice, "PhaseEnded")] == PHASES
    assert twice["events"][-1]["type"] == "SearchEnded"
    assert twice["events"][-1]["status"] == "complete"
    seconds = [event["seconds"] for event in events_of(twice, "PhaseStarted", "PhaseEnded", "SearchEnded")]
    assert seconds == sorted(seconds)
    for number in (0, 1):
        told = [event for event in twice["events"] if event.get("number") == number]
        assert (told[0]["type"], told[-1]["type"]) == ("TrialStarted", "TrialEnded")
        assert told[0]["config"]["model"] == "convnet"
        assert told[0]["config"]["width"] == 8, "pinned"
        epochs = [event["epoch"] for event in told if event["type"] == "EpochEnded"]
        assert epochs == list(range(1, len(epochs) + 1))
    assert events_of(twice, "GangReady")


def test_progress_has_what_a_live_table_shows(twice):
    shown = events_of(twice, "ProgressUpdated")
    assert {event["progress"]["name"] for event in shown} == {"whole"}
    assert any(slot["running"] for event in shown for slot in event["progress"]["slots"])
    assert all(sum(event["progress"]["counts"].values()) <= 2 for event in shown)


def test_the_result_is_the_command_s(twice):
    folder = Path(twice["folder"])
    assert folder == Path(twice["place"]) / "results" / "whole"
    assert twice["finished"]
    (winner,) = events_of(twice, "WinnerFound")
    assert winner["test"]["accuracy"] == twice["test accuracy"]
    assert winner["test"]["accuracy_low"] < twice["test accuracy"] < winner["test"]["accuracy_high"]
    for name in ("search.json", "search.log", "leaderboard.csv", "report.html", "winner/metrics.json"):
        assert (folder / name).is_file(), name
    log = (folder / "search.log").read_text()
    assert "Traceback" not in log


def test_a_callback_stops_a_search_calmly(twice):
    assert not twice["stopped finished"]
    assert twice["stopped events"][-1] == "SearchEnded"
    check_was_saved(Path(twice["place"]) / "results" / "stopped")


@pytest.mark.slow
def test_a_search_joins_the_ray_of_its_program(cache, tmp_path):
    found = run_host("search_on_own_ray", tmp_path, cache)
    assert found["before"] == found["after"]
    assert found["alive"] == 42, "its Ray was not shut down"
    assert found["messages"] == [
        "interrupted",
        "search 'joined' was interrupted; resume with: searchspace.load('results/joined').resume()",
    ]
    assert found["joined"], "it did not start one of its own"
    assert load(tmp_path / "results" / "joined").spec.address == "", "it is resumed without its program's Ray"


@pytest.mark.slow
def test_without_its_program_a_search_ends_calmly(cache, tmp_path):
    with start_host("search_until_killed", tmp_path, cache) as host:
        assert host.stdout is not None
        assert host.stdout.readline() == "epoch\n"
        processes = psutil.Process(host.pid).children(recursive=True)
        host.send_signal(signal.SIGKILL)
    gone, alive = psutil.wait_procs(processes, timeout=120)
    assert gone
    assert alive == []
    check_was_saved(tmp_path / "results" / "orphan")
