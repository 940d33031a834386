"""What the engine costs, alone: suggestions and reports in a study in which so many trials are trained."""

import random
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from statistics import median

import optuna

from searchspace.engine.search_engine import SearchEngine
from searchspace.spaces import Task
from searchspace.spec import make_spec
from searchspace.study.study import flush_study
from tests.helpers.scale.costs import Points
from tests.helpers.scale.loop import make_engine
from trainables.config import Assignment, Decision, EpochReport

REPEATS = 9


@dataclass
class Deciding:
    """An engine with many trials in training, none of which is trained."""

    engine: SearchEngine
    names: int = 0
    training: deque[Assignment] = field(default_factory=deque)
    rng: random.Random = field(default_factory=lambda: random.Random(0))

    def begin(self) -> float:
        """One trial more in training; seconds of the suggestion."""
        self.names += 1
        started = time.thread_time()
        assignment = self.engine.suggest()
        seconds = time.thread_time() - started
        assert assignment is not None
        self.training.append(assignment)
        return seconds

    def report(self) -> float:
        """The oldest trials come to their next rungs, until one pauses or ends; seconds of its report."""
        while True:
            assignment = self.training.popleft()
            epoch = next((rung for rung in assignment.rungs if rung > assignment.known), assignment.max_epochs)
            report = EpochReport(
                trial=assignment.trial, epoch=epoch, score=self.rng.random(), slot=0, seconds=1.0,
                total_seconds=float(epoch), status="complete" if epoch == assignment.max_epochs else "running",
            )  # fmt: skip
            started = time.thread_time()
            decision = self.engine.on_report(report)
            seconds = time.thread_time() - started
            if decision is not Decision.CONTINUE:
                return seconds
            self.training.append(assignment.model_copy(update={"known": epoch}))


def measure(task: Task, sizes: tuple[int, ...]) -> tuple[Points, Points]:
    """CPU seconds of a suggestion, and of a report that ends or pauses its trial, by trials in training."""
    with tempfile.TemporaryDirectory() as folder:
        spec = make_spec(name="decide", results=folder, trials=5 * max(sizes) + 100)
        engine = make_engine(spec, task, max(sizes) + 100)
        deciding, tpe = Deciding(engine), engine._study.sampler
        suggest: Points = {}
        hear: Points = {}
        for size in sizes:
            engine._study.sampler = optuna.samplers.RandomSampler(seed=size)
            while len(deciding.training) < size:
                deciding.begin()
            while deciding.names < 4 * size:
                deciding.report()
                deciding.begin()
            engine._study.sampler = tpe
            told = []
            suggested = []
            for _ in range(REPEATS):
                told.append(deciding.report())
                suggested.append(deciding.begin())
            suggest[size] = median(suggested)
            hear[size] = median(told)
            flush_study(engine._study)
    return suggest, hear
