"""Checkpoints of trials that do not train stay within a budget, the best longest."""

from searchspace.engine.checkpoint_store import CheckpointStore
from trainables.config import EpochReport
from trainables.storage.search_storage import SearchStorage


def put(store, root, number, epoch, score, status="running"):
    folder = root / f"trial-{number}"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "epoch.safetensors").write_bytes(bytes(1000))
    report = EpochReport(trial="t", epoch=epoch, score=score, status=status)
    return [path.name for path in store.put(folder, report)]


def test_the_worst_go_first_and_what_trains_is_left_alone(tmp_path):
    store = CheckpointStore(3e-6, SearchStorage(folder=str(tmp_path)))  # three checkpoints of a thousand bytes
    assert put(store, tmp_path, 0, 2, 0.5) == []
    assert put(store, tmp_path, 1, 6, 0.4) == []
    assert put(store, tmp_path, 2, 2, 0.3) == []
    assert put(store, tmp_path, 3, 2, 0.6) == ["trial-2"]
    assert not (tmp_path / "trial-2" / "checkpoints").exists()
    store.claim(tmp_path / "trial-0")  # the worst now, but it goes on
    assert put(store, tmp_path, 4, 2, 0.9) == []
    assert put(store, tmp_path, 5, 2, 0.1) == ["trial-5"], "what is worst of all does not stay itself"
    assert (tmp_path / "trial-0" / "checkpoints").exists()
    assert (tmp_path / "trial-1" / "checkpoints").exists(), "who came further counts for more"


def test_who_is_through_makes_room_for_who_waits_but_the_best_stays(tmp_path):
    store = CheckpointStore(2e-6, SearchStorage(folder=str(tmp_path)))
    assert put(store, tmp_path, 0, 18, 0.9, "complete") == []
    assert put(store, tmp_path, 1, 18, 0.8, "complete") == []
    assert put(store, tmp_path, 2, 2, 0.1) == ["trial-1"]
    assert put(store, tmp_path, 3, 2, 0.2) == ["trial-2"]


def test_without_room_nothing_is_kept(tmp_path):
    assert put(CheckpointStore(0.0, SearchStorage(folder=str(tmp_path))), tmp_path, 0, 2, 0.9) == ["trial-0"]
