"""Checkpoints of stopped trials stay within a budget, the best longest."""

from searchspace.retention import Shelf
from trainables.config import EpochReport


def stop(shelf, root, number, epoch, score):
    folder = root / f"trial-{number}"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "epoch.safetensors").write_bytes(bytes(1000))
    return [path.name for path in shelf.put(folder, EpochReport(trial="t", epoch=epoch, score=score))]


def test_the_worst_go_first_and_what_trains_is_left_alone(tmp_path):
    shelf = Shelf(3e-6)  # three checkpoints of a thousand bytes
    assert stop(shelf, tmp_path, 0, 2, 0.5) == []
    assert stop(shelf, tmp_path, 1, 6, 0.4) == []
    assert stop(shelf, tmp_path, 2, 2, 0.3) == []
    assert stop(shelf, tmp_path, 3, 2, 0.6) == ["trial-2"]
    assert not (tmp_path / "trial-2" / "checkpoints").exists()
    shelf.take(tmp_path / "trial-0")  # the worst now, but it goes on
    assert stop(shelf, tmp_path, 4, 2, 0.9) == []
    assert stop(shelf, tmp_path, 5, 2, 0.1) == ["trial-5"], "what is worst of all does not stay itself"
    assert (tmp_path / "trial-0" / "checkpoints").exists()
    assert (tmp_path / "trial-1" / "checkpoints").exists(), "who came further counts for more"


def test_without_room_nothing_is_kept(tmp_path):
    assert stop(Shelf(0.0), tmp_path, 0, 2, 0.9) == ["trial-0"]
