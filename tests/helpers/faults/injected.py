"""Faults in a search's own worker processes: a `sitecustomize` raises, hangs or dies in the middle of a real epoch."""

import json
import os
from pathlib import Path
from typing import Any

CODE = '''
"""Written by tests: patches the training step once `trainables.workers.worker` is there."""
import errno, json, os, pathlib, re, signal, sys, threading

RULES = json.loads(os.environ.get("TEST_FAULTS", "[]"))
MARKS = pathlib.Path(os.environ.get("TEST_FAULT_MARKS", "/nonexistent"))


def strike(name, most):
    """Whether this fault still has a go left, over all processes."""
    for number in range(most):
        try:
            os.close(os.open(MARKS / f"{name}-{number}", os.O_CREAT | os.O_EXCL))
            return True
        except FileExistsError:
            continue
    return False


def do(what):
    import torch
    if what == "eio":
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    if what == "cuda":
        error = torch.AcceleratorError("CUDA error: an illegal memory access was encountered")
        error.error_code = 700
        raise error
    if what == "hang":
        threading.Event().wait()
    if what == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)


def patch(worker):
    from trainables.training.loop import TrialRun
    slot, steps = [], [0]
    make, step = worker.WorkerClient.__init__, TrialRun._step

    def begun(self, *args, **options):
        make(self, *args, **options)
        slot[:] = [self.slot]

    def stepped(self, *args, **options):
        steps[0] += 1
        for number, rule in enumerate(RULES):
            here = slot and (rule["slot"] is None or rule["slot"] == slot[0])
            rank = rule["rank"] is None or rule["rank"] == self.context.group.rank
            if here and rank and re.fullmatch(rule["trial"], self.assignment.trial) and self.epochs >= rule["epoch"]:
                if strike(f"{number}-{rule['what']}", rule["times"]):
                    do(rule["what"])
        return step(self, *args, **options)

    worker.WorkerClient.__init__, TrialRun._step = begun, stepped


class Hook:
    """Patches the module after it was loaded."""

    def find_spec(self, name, path=None, target=None):
        if name != "trainables.workers.worker":
            return None
        import importlib.util
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def loaded(module):
            load(module)
            patch(module)

        spec.loader.exec_module = loaded
        return spec


if RULES:
    sys.meta_path.insert(0, Hook())
'''


def rule(what: str, trial: str = r"trial-\d+", **changes: Any) -> dict[str, Any]:
    """A fault: at any step of matching trials, from an `epoch` on, in a `slot` and `rank`, so many `times` in all."""
    return {"what": what, "trial": trial, "epoch": 0, "slot": None, "rank": None, "times": 1} | changes


def injected(folder: Path, *rules: dict[str, Any], path: str = "") -> dict[str, str]:
    """Environment variables of a search that is to meet these faults; `folder` is for this alone."""
    marks = folder / "marks"
    marks.mkdir(parents=True)
    (folder / "sitecustomize.py").write_text(CODE)
    paths = os.pathsep.join(filter(None, [str(folder), path]))
    return {"PYTHONPATH": paths, "TEST_FAULTS": json.dumps(rules), "TEST_FAULT_MARKS": str(marks)}


def struck(folder: Path) -> list[str]:
    """The faults that happened."""
    return sorted(path.name for path in (folder / "marks").iterdir())
