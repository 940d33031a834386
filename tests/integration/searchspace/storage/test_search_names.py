"""Wherever a search is named: `latest`, a name without its folder, the beginning of one; and what is never guessed."""

import os
import sys

import pytest

from searchspace.cli.command import run_command
from searchspace.preparation.resume import load_resumed_spec
from searchspace.spec import SearchSpec, save_record
from searchspace.storage.search_names import find_search
from tests.helpers.made_search import make_search
from tests.helpers.servers.s3_server import s3
from trainables.common.errors import UserError

NAMES = ("digits-20260101-101010", "flowers", "Fashion", "birds-1", "birds-2")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder of searches, of which the last of the names was worked on last."""
    monkeypatch.chdir(tmp_path)
    for age, name in enumerate(NAMES):
        (tmp_path / "results" / name).mkdir(parents=True)
        save_record(tmp_path / "results" / name, SearchSpec(name=name, results=str(tmp_path / "results")), {})
        os.utime(tmp_path / "results" / name / "search.json", (1e9 + age, 1e9 + age))
    return tmp_path


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("results/flowers", "results/flowers"), ("flowers", "results/flowers"), ("results", "results"),
        ("results/latest", "results/birds-2"), ("latest", "results/birds-2"), ("digits", f"results/{NAMES[0]}"),
        ("results/digits", f"results/{NAMES[0]}"), ("fash", "results/Fashion"), ("s3://b/x", "s3://b/x"),
        ("results/flowrs", "results/flowrs"), ("nothing", "nothing"), ("elsewhere/latest", "elsewhere/latest"),
    ],
)  # fmt: skip
def test_a_search_is_found_by_name_and_never_guessed(place, given, found):
    assert find_search(given) == found


def test_the_beginning_of_several_names_is_none(place):
    with pytest.raises(UserError, match=r"'birds': is the beginning of 2 searches \(birds-1, birds-2\); give"):
        find_search("birds")


def test_what_is_there_is_taken_as_it_is(place):
    (place / "latest").mkdir()
    assert find_search("latest") == "latest"
    (place / "flow").touch()
    assert find_search("flow") == "flow"


def test_a_whole_name_goes_before_the_beginning_of_another(place):
    (place / "flowers-again").mkdir()
    (place / "flowers-again" / "search.json").write_text("{}")
    assert find_search("flowers") == "results/flowers"
    assert find_search("flowers-a") == "flowers-again"


def test_latest_is_the_one_that_was_worked_on_last(place):
    os.utime(place / "results" / "flowers" / "search.json")
    assert find_search("latest") == "results/flowers"


@pytest.mark.parametrize("given", ["latest", "birds-2", "results/birds-2", "results/latest"])
def test_a_search_goes_on_by_any_name(place, given):
    spec = load_resumed_spec(given, {"results": "results", "trials": "99"}, {"trials"})
    assert (spec.name, spec.trials) == ("birds-2", 99)
    assert spec.folder == place / "results" / "birds-2"


def test_a_mistyped_search_does_not_go_on(place):
    with pytest.raises(UserError, match=r"birds-3': holds no search .*did you mean 'birds-"):
        load_resumed_spec("birds-3", {"results": "results"}, set())


@pytest.mark.parametrize("module", ["leaderboard", "report", "replay", "export", "tracking.__main__"])
@pytest.mark.parametrize("given", ["mad", "made", "latest", "results/ma"])
def test_every_command_understands_it(module, given, tmp_path, monkeypatch, capsys, digits):
    """Each comes as far as the search itself: an export finds no weights in a made one, a replay no curves."""
    make_search(tmp_path / "results", digits, trials=3)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [module, given])
    reached = []
    for name in ("searchspace.export.load_spec", "searchspace.reporting.results.load_spec",
                 "searchspace.tracking.__main__.load_spec"):  # fmt: skip
        monkeypatch.setattr(name, lambda folder: reached.append(folder) or stop())
    monkeypatch.setattr("os.nice", lambda _more: 0)
    with pytest.raises(SystemExit) as stopped:
        run_command(__import__(f"searchspace.{module}", fromlist=["main"]).main)
    assert stopped.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == "error: here"
    assert [folder.resolve() for folder in reached] == [tmp_path / "results" / "made"]


def test_the_latest_at_a_url_is_found_there(bucket):
    for name in ("a", "b", "c/winner"):
        s3().put_object(Bucket=bucket, Key=f"searches/{name}/search.json", Body=b"{}")
    assert find_search(f"s3://{bucket}/searches/latest") in {f"s3://{bucket}/searches/{name}" for name in "ab"}
    assert find_search(f"s3://{bucket}/none/latest") == f"s3://{bucket}/none/latest"


def stop():
    raise UserError("here")
