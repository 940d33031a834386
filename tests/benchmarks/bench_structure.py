"""The structure of the packages at two commits: files, lines, folders, import cycles, private names, frames.

    python tests/benchmarks/bench_structure.py [--before COMMIT]

Each commit is checked out into a temporary folder. Frames are those of this project on the stack when the command calls
`ray.tune.Tuner.fit`, which is replaced by a function that prints them and ends the process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.helpers import structure
from tests.helpers.benchmarks.record import ONCE, last_json, write_record
from tests.helpers.repository import ROOT

FRAMES = """
import json, os, runpy, sys, traceback
from pathlib import Path
from ray.tune import Tuner

def fit(self):
    here = str(Path.cwd()) + os.sep
    frames = [frame for frame in traceback.extract_stack() if frame.filename.startswith(here)]
    calls = [f"{frame.filename[len(here):]}:{frame.name}" for frame in frames]
    print(json.dumps({"frames": calls[[call.endswith(":main") for call in calls].index(True):]}), flush=True)
    os._exit(0)

Tuner.fit = fit
sys.path.insert(0, os.getcwd())
options = "--trials 1 --models convnet --max-epochs 1 --name frames --results".split()
sys.argv = ["run", *options, sys.argv[1]]
runpy.run_module("searchspace.run", run_name="__main__")
"""


def measure(root: Path) -> dict[str, Any]:
    """The figures of one checkout."""
    modules = structure.read_modules(root)
    folders = structure.folder_sizes(modules)
    frames = frames_to_fit(root)
    return {
        "files": len(modules),
        "lines": sum(module.lines for module in modules),
        "largest_folder": max(folders.values()),
        "folders": dict(sorted(folders.items(), key=lambda item: -item[1])),
        "small_files": len(structure.small_files(modules)),
        "repeated_module_names": len(structure.repeated_stems(modules)),
        "repeated_class_names": len(structure.repeated_classes(modules)),
        "constants_called_patience": sum("PATIENCE" in module.constants() for module in modules),
        "import_cycles": len(structure.import_cycles(modules)),
        "private_names_outside_compat": sum(len(structure.private_names(m)) for m in modules if not m.is_compat),
        "files_with_private_names": sum(bool(structure.private_names(m)) for m in modules if not m.is_compat),
        "frames_to_fit": len(frames),
        "frames": frames,
        "test_files": len(list((root / "tests").rglob("*.py"))),
        "test_files_in_largest_folder": max(
            len(list(f.glob("*.py"))) for f in (root / "tests").rglob("") if f.is_dir()
        ),
    }


def frames_to_fit(root: Path) -> list[str]:
    """The project's functions on the stack from a command's `main` to `Tuner.fit`."""
    with tempfile.TemporaryDirectory() as place:
        environment = os.environ | {"HOME": place, "SEARCHSPACE_CACHE": f"{place}/cache", "PYTHONPATH": str(root)}
        done = subprocess.run(
            [sys.executable, "-c", FRAMES, f"{place}/results"], cwd=root, env=environment, capture_output=True,
            text=True, check=False, timeout=300,
        )  # fmt: skip
    found: list[str] = last_json(done.stdout)["frames"]
    return found


def checked_out(commit: str, folder: Path) -> Path:
    """A copy of a commit's files."""
    folder.mkdir()
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit], stdout=subprocess.PIPE, check=True)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder


def main() -> None:
    """Measure both, print, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--before", default="80eb54b")
    before = parser.parse_args().before
    with tempfile.TemporaryDirectory() as place:
        figures = {
            name: measure(checked_out(commit, Path(place, name)))
            for name, commit in (("before", before), ("after", "HEAD"))
        }
    print(json.dumps(figures, indent=1))
    print(write_record("bench_structure", figures, [f"--before {before}"], n=1, spread=ONCE))


if __name__ == "__main__":
    main()
