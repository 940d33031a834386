"""What Ray Tune's loop costs the driver: real searches, real trial actors, real mailbox; only the training is played."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import ray

from searchspace.asking import Asker
from searchspace.sampling.samplers import make_sampler
from searchspace.search import run_search
from searchspace.searcher import StudySearcher, Surroundings
from searchspace.spaces import Task, default_space
from searchspace.spec import SearchSpec
from searchspace.stopping.registry import make_rule
from searchspace.stopping.rung import rungs
from searchspace.study import create_study
from trainables.mailbox import Mailbox

from .standin import StandIn


class Open:
    """A gate without limits."""

    def ready(self, _config: Any) -> bool:
        return True

    def refuse(self, _trial: Any, _config: Any) -> str:
        return ""


class Counted:
    """A searcher's calls, and the seconds of the loop's thread that they take."""

    def __init__(self, searcher: StudySearcher) -> None:
        self.seconds = 0.0
        self.events = {"start": 0, "epoch": 0}
        for name in ("suggest", "on_trial_result", "on_trial_complete"):
            setattr(searcher, name, self._timed(getattr(searcher, name)))

    def _timed(self, call: Any) -> Any:
        def timed(*args: Any, **kwargs: Any) -> Any:
            started = time.thread_time()
            try:
                return call(*args, **kwargs)
            finally:
                self.seconds += time.thread_time() - started

        return timed


def make_searcher(spec: SearchSpec, task: Task, slots: int, listen: Any = lambda *_: None) -> tuple[Any, Any]:
    """A new search's searcher, and its rule."""
    study = create_study(spec, make_sampler(spec, "tpe" if spec.sampler == "auto" else spec.sampler))
    rule = make_rule(spec.scheduler, spec.budget_unit, rungs(spec.grace_epochs, spec.reduction_factor, spec.max_epochs), 3)
    return StudySearcher(study, Asker(study, default_space, task, spec, Open()), rule, spec, Surroundings(slots, listen)), rule


def search(spec: SearchSpec, task: Task, slots: int, nap: float) -> dict[str, Any]:
    """One search on gangs that are played; Ray is up. CPU seconds by who spends them, events, and seconds."""
    mailbox = ray.remote(Mailbox).options(num_cpus=0, max_concurrency=1000).remote(slots)
    gangs = ray.remote(StandIn).options(num_cpus=0, max_concurrency=1000).remote(spec.seed)
    work = [gangs.work.remote(mailbox, slot, nap) for slot in range(slots)]
    ray.get([mailbox.warm.remote(slot) for slot in range(slots)])
    times: list[tuple[float, str]] = []
    searcher, rule = make_searcher(spec, task, slots, lambda event, *_: times.append((time.perf_counter(), event)))
    counted = Counted(searcher)
    before, thread, wall, driver = cpu_by_role(), time.thread_time(), time.perf_counter(), time.process_time()
    run_search(spec, searcher, rule, SimpleNamespace(mailbox=mailbox))
    found = {
        "seconds": time.perf_counter() - wall, "loop": time.thread_time() - thread, "searcher": counted.seconds,
        "driver": time.process_time() - driver,
    }  # fmt: skip
    after = cpu_by_role()
    decisions = ray.get(gangs.waited.remote())
    ray.get(mailbox.close.remote())
    ray.get(work)
    ray.kill(mailbox), ray.kill(gangs)
    return found | {
        "cpu": {role: after[role] - before.get(role, 0.0) for role in after},
        "decisions": decisions, "times": times,
    }  # fmt: skip


def cpu_by_role() -> dict[str, float]:
    """CPU seconds so far of this process's descendants, by what they are."""
    found: dict[str, float] = {}
    for process in psutil.Process().children(recursive=True):
        try:
            name, used = " ".join(process.cmdline()), process.cpu_times()
        except psutil.Error:
            continue
        role = next((role for role in ("Mailbox", "StandIn", "Trial", "raylet", "gcs_server") if role in name), "other")
        found[role] = found.get(role, 0.0) + used.user + used.system
    return found
