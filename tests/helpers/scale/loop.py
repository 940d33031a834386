"""What Ray Tune's loop costs: real searches, real trial actors, a real broker; only the training is played."""

import time
from types import SimpleNamespace
from typing import Any

import psutil
import ray
import ray._private.state

from searchspace.engine.events import EngineContext, Listener
from searchspace.engine.search_engine import SearchEngine
from searchspace.engine.suggest import ConfigSuggester
from searchspace.engine.tune_adapter import run_search
from searchspace.sampling.samplers import make_sampler
from searchspace.spaces import Task, default_space
from searchspace.spec import SearchSpec
from searchspace.stopping.rules import make_rule
from searchspace.stopping.rung import rungs
from searchspace.study.study import create_study
from tests.helpers.scale.standin import StandIn
from trainables.workers.trial_broker import TrialBroker

ROLES = ("TrialBroker", "StandIn", "Trainable")
"""What is in the names of the classes of a search's actors; Tune wraps the trainable into one of its own."""


class Open:
    """A gate without limits."""

    def ready(self, _config: Any) -> bool:
        return True

    def refuse(self, _trial: Any, _config: Any) -> None:
        return None


class Meter:
    """What a search uses between two of its epochs: all slots are busy by the first, nothing is over by the last."""

    def __init__(self, first: int, last: int) -> None:
        self.engine_seconds, self._count, self._ends, self._limits = 0.0, 0, {"gone": 0}, (first, last)
        self._at: list[dict[str, Any]] = []

    def watch(self, engine: SearchEngine) -> None:
        """Time the calls of an engine."""
        for name in ("suggest", "on_report", "on_lost"):
            setattr(engine, name, self._timed(getattr(engine, name)))

    def listen(self, event: str, _number: int, _report: Any) -> None:
        """Called in the loop's thread."""
        self._ends["gone"] += event in {"paused", "complete"}
        self._count += event == "epoch"
        if event == "epoch" and self._count in self._limits:
            self._at.append(self._look())

    def _look(self) -> dict[str, Any]:
        return {
            "seconds": time.perf_counter(), "loop": time.thread_time(), "engine": self.engine_seconds,
            "driver": time.process_time(), "epochs": self._count, "goes": self._ends["gone"],
        } | cpu_by_role()  # fmt: skip

    @property
    def used(self) -> dict[str, float]:
        """What was used meanwhile: seconds of the clock, CPU seconds by who spent them, epochs and goes."""
        first, last = self._at
        return {name: last[name] - first.get(name, 0.0) for name in last}

    def _timed(self, call: Any) -> Any:
        def timed(*args: Any, **kwargs: Any) -> Any:
            before, started = self.engine_seconds, time.thread_time()
            try:
                return call(*args, **kwargs)
            finally:  # one of these may call another
                self.engine_seconds = before + time.thread_time() - started

        return timed


def make_engine(spec: SearchSpec, task: Task, slots: int, listener: Listener = lambda *_: None) -> SearchEngine:
    """A new search's engine."""
    levels = rungs(spec.grace_epochs, spec.reduction_factor, spec.max_epochs)
    rule = make_rule(spec.scheduler, spec.budget_unit, levels, spec.reduction_factor)
    study = create_study(spec, make_sampler(spec, "tpe" if spec.sampler == "auto" else spec.sampler))
    suggester = ConfigSuggester(study, default_space, task, spec, Open())
    return SearchEngine(study, suggester, rule, spec, EngineContext(slots, listener))


def search(
    spec: SearchSpec, task: Task, slots: int, nap: float = 0.0, together: bool = True
) -> tuple[Meter, list[float]]:
    """One search on gangs that are played; Ray is up.

    Gangs train when all have a trial, or, if not `together`, as soon as they have one. Returns what tells what was used
    between the moment when all slots are busy and the end, of searches without early stopping; and waits at rungs.
    """
    calls = 1000 + 8 * slots
    broker = ray.remote(TrialBroker).options(num_cpus=0, max_concurrency=calls).remote(slots)
    gangs = ray.remote(StandIn).options(num_cpus=0, max_concurrency=calls).remote(spec.seed, slots if together else 0)
    work = [gangs.work.remote(broker, slot, nap) for slot in range(slots)]
    ray.wait(work, timeout=0)
    epochs = spec.trials * spec.max_epochs
    meter = Meter(epochs // 4, epochs * 9 // 10)
    engine = make_engine(spec, task, slots, meter.listen)
    meter.watch(engine)
    run_search(
        spec,
        engine,
        SimpleNamespace(broker=broker, shape=SimpleNamespace(slots=slots), is_training=lambda: True, is_warm=True),
    )  # type: ignore[arg-type]
    waits = ray.get(gangs.waited.remote())
    ray.get(broker.close.remote())
    ray.get(work)
    ray.kill(broker)
    ray.kill(gangs)
    return meter, waits


def cpu_by_role() -> dict[str, float]:
    """CPU seconds so far of this search's actors, by what they are."""
    return {role: sum(used(process) for process in actors(role)) for role in ROLES}


def actors(role: str) -> list[psutil.Process]:
    """Processes of the actors of a class, as Ray knows them; a process's own title changes with what it does."""
    known: Any = ray._private.state.actors(actor_state_name="ALIVE")
    return [psutil.Process(actor["Pid"]) for actor in known.values() if role in actor["ActorClassName"]]


def used(process: psutil.Process) -> float:
    """CPU seconds of a process so far; 0 for one that has ended."""
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)
