"""`searchspace clean`: what lies here is shown and freed, and what somebody works with stays."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from searchspace.cleaning.__main__ import main
from searchspace.cleaning.cache_items import KINDS, find_items, measure
from searchspace.cleaning.machine_use import MachineUse, RunningSearch, find_machine_use
from searchspace.cleaning.plan_cleaning import format_age, format_size, plan_items
from searchspace.spec import make_spec, save_record
from searchspace.storage.lease import LeaseHolder
from searchspace.storage.search_lock import hold_lock, is_locked
from tests.helpers.attacks.commands import run_function
from trainables.storage.search_storage import LEASE

IDLE = MachineUse(frozenset(), ())
DAY_S = 86400


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """A cache with something of several kinds."""
    place = tmp_path / "cache"
    for name in (
        "stores/digits-1/images.npy", "stores/birds-2.building/images.npy", "features/f1/a.npy", "unwritten/x.journal",
        "results/0a/mine/search.json", "forecast/a.json", "stray.txt", "stores/digits-1.lock",
    ):  # fmt: skip
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(b"x" * 5000)
    place.chmod(0o700)
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(place))
    return place


@pytest.fixture
def search(tmp_path, monkeypatch):
    """Makes a finished search in results/, which was worked on last so many days ago."""
    monkeypatch.chdir(tmp_path)

    def search(name, days=100.0):
        folder = tmp_path / "results" / name
        for file in ("trials/trial-0/checkpoints/a", "winner/model.onnx", "report.html"):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(b"x" * 5000)
        save_record(folder, make_spec(name=name), {})
        for path in [*folder.iterdir(), folder]:
            os.utime(path, (time.time() - days * DAY_S,) * 2)
        return folder

    return search


def clean(*arguments):
    return run_function(main, "searchspace/cleaning/__main__.py", *arguments)


def outcomes(*arguments):
    """By name, what becomes of each thing."""
    done = clean(*arguments, "--format", "json")
    assert done.code == 0, done.error
    return {row["name"]: row["outcome"] for row in json.loads(done.output)}


def test_everything_is_shown_and_nothing_deleted_without_yes(cache):
    before = sorted(cache.rglob("*"))
    found = outcomes()
    assert found == {
        "digits-1": "goes with --yes", "f1": "goes with --yes", "mine": "stays", "x.journal": "stays",
        "birds-2.building": "stays", "forecast": "goes with --yes", "stray.txt": "stays",
    }  # fmt: skip
    assert sorted(cache.rglob("*")) == before
    shown = clean().output
    assert "nothing was deleted; --yes frees" in shown
    assert "stays: may hold what was not uploaded; kept 7 days" in shown


def test_yes_frees_what_is_shown_to_go(cache):
    assert outcomes("--yes", "--only", "stores,forecast")["digits-1"] == "freed"
    assert not (cache / "stores" / "digits-1").exists()
    assert not (cache / "forecast").exists()
    assert (cache / "features" / "f1" / "a.npy").exists()
    assert (cache / "stores" / "digits-1.lock").exists(), "a command may be about to take it"
    assert "freed" in clean("--yes").output
    assert not (cache / "features" / "f1").exists()
    assert {path.name for path in cache.rglob("*") if path.is_file()} >= {"x.journal", "stray.txt", "search.json"}


@pytest.mark.parametrize(
    ("work", "stays"),
    [
        (MachineUse(frozenset({"{cache}/stores/digits-1/images.npy"}), ()), {"digits-1"}),
        (MachineUse(frozenset({"{cache}/stores/digits-1.lock"}), ()), {"digits-1"}),
        (MachineUse(frozenset(), (RunningSearch(Path("r/s"), "f1", ()),)), {"f1", "forecast"}),
        (
            MachineUse(frozenset(), (RunningSearch(Path("r/s"), "f2", ("{cache}/stores/digits-1",)),)),
            {"digits-1", "forecast"},
        ),
        (MachineUse(frozenset(), (RunningSearch(Path("r/s"), "", ()),)), {"digits-1", "f1", "forecast"}),
        (MachineUse(frozenset(), (), starting=7), {"digits-1", "f1", "forecast"}),
        (IDLE, set()),
    ],
)
def test_what_is_used_or_needed_stays(cache, work, stays):
    opened = frozenset(name.format(cache=cache) for name in work.opened)
    searches = tuple(
        RunningSearch(each.folder, each.fingerprint, tuple(place.format(cache=cache) for place in each.places))
        for each in work.searches
    )
    planned = plan_items(find_items(cache), MachineUse(opened, searches, work.starting), time.time(), 0.0)
    always = {"mine", "x.journal", "birds-2.building", "stray.txt"}
    assert {thing.name for thing in planned if thing.kept_why} == stays | always


def test_what_was_not_used_for_long_goes(cache):
    later = time.time() + 8 * DAY_S
    planned = plan_items(find_items(cache), IDLE, later, 9 * DAY_S)
    assert all(thing.kept_why for thing in planned)
    planned = plan_items(find_items(cache), IDLE, later, 7 * DAY_S)
    assert {thing.name for thing in planned if thing.kept_why} == {"x.journal", "stray.txt"}


def test_processes_and_what_they_need_are_found(cache, search):
    store, folder = cache / "stores" / "digits-1" / "images.npy", search("running")
    save_record(folder, make_spec(name="running"), {"data": {"path": str(store.parent), "fingerprint": "f1"}})
    code = f"""
import mmap, time
from pathlib import Path
from searchspace.storage.search_lock import hold_lock
with open({str(store)!r}, "rb") as file:
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
with hold_lock(Path({str(folder)!r})):
    print(1, flush=True)
    time.sleep(100)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        work = find_machine_use(cache)
        assert work.has_open(store.parent)
        assert work.searches == (RunningSearch(folder, "f1", (str(store.parent),)),)
        assert find_machine_use(cache.parent / "another").searches == ()
        assert is_locked(folder)
        assert outcomes("--results", "results", "--older-than", "1s") == {"results/running": "stays"}
        assert outcomes("--yes")["digits-1"] == "stays"
        holder.kill()
        holder.wait()
    assert not is_locked(folder)
    assert find_machine_use(cache).searches == ()


def test_old_searches_go(search):
    search("old"), search("new", days=1)
    (search("leased") / LEASE).write_text(LeaseHolder(id="a", process=1, host="h", since="").model_dump_json())
    Path("results/notes").mkdir()
    Path("results/notes/a.txt").write_text("mine")
    Path("results/link").symlink_to("old")
    asked = ("--results", "results", "--older-than", "30d")
    shown = {"results/old": "goes with --yes", "results/new": "stays", "results/leased": "stays"}
    assert outcomes(*asked) == shown
    assert outcomes(*asked, "--yes")["results/old"] == "freed"
    assert sorted(path.name for path in Path("results").iterdir()) == ["leased", "link", "new", "notes"]


def test_winners_can_be_kept(search):
    folder = search("old")
    with hold_lock(folder):
        pass
    os.utime(folder / "search.lock", (0, 0))
    asked = ("--results", "results", "--older-than", "30d", "--keep-winners")
    assert outcomes(*asked, "--yes") == {"results/old": "freed"}
    assert not (folder / "trials").exists()
    assert (folder / "winner" / "model.onnx").exists()
    assert (folder / "search.json").exists()


WRONG = {
    ("--keep-winners",): "--keep-winners: is for old searches; give --results FOLDER too",
    ("--results", "results"): "--results 'results': give --older-than too, such as 30d",
    ("--results", "none", "--older-than", "1d"): "--results 'none': is no folder of searches",
    ("--results", "s3://bucket/x", "--older-than", "1d"): "is a URL; delete there by the tools of that storage",
    ("--results", "results", "--older-than", "1d", "--only", "stores"): "--only: is for the cache",
    ("--only", "store"): "'store' is not one of stores, fetched",
    ("--older-than", "30"): "needs a unit",
}


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_options_that_mean_nothing_are_refused(arguments, cache):
    done = clean(*arguments)
    assert done.code == 2
    assert WRONG[arguments] in done.error


def test_sizes_are_those_on_the_disk(tmp_path):
    folder = tmp_path / "measured"
    folder.mkdir()
    (folder / "a").write_bytes(b"x" * 100_000)
    os.link(folder / "a", folder / "b")
    (folder / "c").symlink_to("/")
    assert 100_000 <= measure(folder).size < 150_000
    assert measure(tmp_path / "none").size == 0
    assert [format_size(size) for size in (0, 999, 1500, 123_456, 2.5e9)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "123 kB",
        "2.5 GB",
    ]
    assert [format_age(seconds) for seconds in (5, 150, 7300, 200_000)] == [
        "5 seconds",
        "2 minutes",
        "2 hours",
        "2 days",
    ]
    assert all(kind.kept_why for kind in KINDS.values() if kind.kept_s)
