"""Fuzzing: hundreds of damaged JPEGs and PNGs are each an image or a bad one, in bounded time and memory."""

import csv
import json
import resource
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.images.mutants import mutant, originals
from tests.helpers.repository import ROOT
from trainables.data.data_options import DataOptions
from trainables.data.decoding.bad_images import BAD_IMAGES, BadImageError
from trainables.data.decoding.decode import decode, read_image_header
from trainables.data.store.building import build
from trainables.data.store.store import prepare_data

COUNT = 600
SECONDS = 10
"""For one image; most take less than a millisecond, and a busy machine shall fail no test."""
MEMORY = 3_000_000_000
"""Address space, in bytes, of a process that decodes; libraries' included."""


def mutants(count: int, seed: int) -> list[bytes]:
    rng, valid = np.random.default_rng(seed), originals()
    return [mutant(valid[i % len(valid)], rng) for i in range(count)]


def sweep(count: int, seed: int) -> None:
    """Decode mutants within limits that the system enforces; prints what became of them as JSON."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    ends: Counter[str] = Counter()
    for content in mutants(count, seed):
        signal.alarm(SECONDS)  # ends the process, wherever it hangs
        outcomes = set()
        for read in (lambda it: read_image_header(it, "it"), lambda it: decode(it, "it", (32, 32, 3)).shape):
            try:
                outcomes.add("accepted" if read(content) else "")
            except BadImageError as error:
                outcomes.add("bad" if str(error).isprintable() else "of several lines")
        ends["/".join(sorted(outcomes))] += 1
    print(json.dumps(ends))


def test_every_damaged_image_is_accepted_or_a_clear_error():
    command = [
        sys.executable,
        "-c",
        f"from tests.unit.trainables.data.decoding.test_image_fuzz import sweep; sweep({COUNT}, 0)",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr == "", "nothing that a library says of its own goes to the terminal"
    ends = json.loads(done.stdout)
    assert sum(ends.values()) == COUNT
    assert set(ends) <= {"accepted", "bad", "accepted/bad"}
    assert min(ends["accepted"], ends["bad"], ends["accepted/bad"]) > COUNT / 50, "not all are turned down at the door"


def test_a_folder_of_damaged_images_is_built_by_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "PROCESSES_FROM", 1)
    root, files = tmp_path / "fuzzed", mutants(300, seed=1)
    for i, content in enumerate([*files, *originals() * 4]):
        (root / f"class {i % 2}").mkdir(parents=True, exist_ok=True)
        (root / f"class {i % 2}" / f"{i}.png").write_bytes(content)
    data = prepare_data(str(root), options=DataOptions(on_bad_image="skip"))
    with (Path(data.path) / BAD_IMAGES).open(newline="") as file:
        listed = {row["path"] for row in csv.DictReader(file)}
    assert data.skipped == len(listed) > 60
    assert data.train + data.val + data.test + data.skipped + sum(data.copies.left_out.values()) == 348
    for path in root.rglob("*.png"):
        if str(path) in listed:
            with pytest.raises(BadImageError):
                decode(path, str(path), (data.height, data.width, data.channels))
        else:
            decode(path, str(path), (data.height, data.width, data.channels))
