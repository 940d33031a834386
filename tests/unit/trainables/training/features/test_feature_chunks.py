"""Chunks of features: computed once by several processes together, kept when one is killed, and checked."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from trainables.training.features.feature_chunks import chunk_rows, compute_chunks, read_chunk

COUNT = 200
WORKER = """
import os, sys, time
from pathlib import Path
import numpy as np
from trainables.training.features.feature_chunks import compute_chunks

folder, deadly = Path(sys.argv[1]), int(sys.argv[2])

def compute(rows):
    with open(folder.parent / f"log-{os.getpid()}", "a") as log:
        print(*rows, file=log)
    time.sleep(0.02)
    if deadly in rows:
        os.kill(os.getpid(), 9)
    return np.repeat(rows[:, None], 3, axis=1).astype(np.float32)

compute_chunks(folder, 200, compute, lambda: False)
"""


def start(folder: Path, deadly: int = -1) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", WORKER, str(folder), str(deadly)])


def computed(folder: Path) -> list[int]:
    return sorted(int(row) for log in folder.glob("log-*") for row in log.read_text().split())


def joined(folder: Path) -> np.ndarray:
    return np.concatenate([read_chunk(folder, n, len(rows)) for n, rows in enumerate(chunk_rows(COUNT))])


def numbers(rows):
    return np.repeat(rows[:, None], 3, axis=1).astype(np.float32)


@pytest.mark.parametrize("count", [1, 16, 17, 244, 5_000, 50_000])
def test_chunks_have_each_image_once(count):
    assert np.array_equal(np.concatenate(chunk_rows(count)), np.arange(count))


def test_processes_share_the_chunks_and_one_that_is_killed_loses_its_own_only(tmp_path):
    folder = tmp_path / "chunks"
    killed = start(folder, deadly=100)
    assert killed.wait() == -9
    kept = computed(tmp_path)
    both = [start(folder), start(folder)]
    assert [each.wait() for each in both] == [0, 0]
    assert np.array_equal(joined(folder)[:, 0], np.arange(COUNT))
    lost = next(rows.tolist() for rows in chunk_rows(COUNT) if 100 in rows)
    assert set(lost) < set(kept)
    assert computed(tmp_path) == sorted([*range(COUNT), *lost]), "each image once, those of the lost chunk twice"


def test_a_damaged_chunk_is_computed_again_and_no_other(tmp_path):
    compute_chunks(tmp_path, COUNT, numbers, lambda: False)
    file = tmp_path / "00003.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert read_chunk(tmp_path, 3, 16) is None
    seen = []
    compute_chunks(tmp_path, COUNT, lambda rows: (seen.append(rows), numbers(rows))[1], lambda: False)
    assert [rows[0] for rows in seen] == [48]
    assert np.array_equal(joined(tmp_path)[:, 0], np.arange(COUNT))


def test_nothing_is_computed_once_another_process_has_published(tmp_path):
    compute_chunks(tmp_path / "none", COUNT, numbers, lambda: True)
    assert not (tmp_path / "none").exists()
