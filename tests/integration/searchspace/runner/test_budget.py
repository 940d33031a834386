"""Commands with a budget on real gangs: the least of one, and a finished search that gets more."""

import json

import pytest

from searchspace.budget.allowance import Phase
from searchspace.spec import load_facts
from tests.helpers.commands import command

SMALL = ("--models", "convnet", "--set", "width=8", "--set", "batch_size=128", "--formats", "onnx", "--preset", "fast")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def least(home, cache):
    """A search with a budget below the least."""
    return command(
        "run", "--budget", "5s", "--max-epochs", "2", "--name", "short", *SMALL, home=home, cache=cache, cwd=home
    )


def test_a_budget_below_the_least_takes_the_least_and_has_a_winner(least, home):
    assert least.returncode == 0, least.stderr
    assert "--budget 5 s: the least is about" in least.stdout
    folder = home / "results" / "short"
    assert (folder / "winner" / "model.onnx").is_file()
    record = load_facts(folder)
    assert record["budget"]["asked"] == 5.0
    took = record["budget"]["took"]
    assert set(took) == {phase.value for phase in Phase}
    assert record["budget"]["plans"][0]["least"] > 5.0
    assert "budget 5 s: took" in least.stdout
    assert (folder / "report.html").is_file()


def test_a_finished_search_ends_at_once_and_with_a_larger_budget_searches_on(least, home, cache):
    again = command("run", "--resume", "short", home=home, cache=cache, cwd=home)
    assert "search 'short' is finished" in again.stdout
    folder = home / "results" / "short"
    before = json.loads((folder / "search.json").read_text())["budget"]
    longer = command("run", "--resume", "short", "--budget", "40s", home=home, cache=cache, cwd=home)
    assert longer.returncode == 0, longer.stderr
    budget = load_facts(folder)["budget"]
    assert budget["asked"] == 40.0
    assert budget["earlier"] >= 0.9 * sum(before["took"].values())
    assert (folder / "winner-1").is_dir()
    assert (folder / "winner" / "model.onnx").is_file()
