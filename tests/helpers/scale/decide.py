"""What the searcher costs, alone: suggestions, reports and ends in a study in which so many trials are trained."""

import random
import tempfile
import time
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import optuna

from searchspace.spaces import Task
from searchspace.spec import make_spec
from searchspace.stopping.rung import observe
from searchspace.study.study import flush_study
from tests.helpers.scale.costs import Points
from tests.helpers.scale.loop import make_searcher
from trainables.config import Assignment, EpochReport

REPEATS = 9


@dataclass
class Deciding:
    """A searcher with many trials in training, of whom nobody trains."""

    searcher: Any
    rule: Any
    names: int = 0
    training: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    rng: random.Random = field(default_factory=lambda: random.Random(0))

    def begin(self) -> float:
        """One trial more in training; seconds of the suggestion."""
        name = f"t{self.names}"
        self.names += 1
        started = time.thread_time()
        config = self.searcher.suggest(name)
        self.training.append((name, config))
        return time.thread_time() - started

    def report(self) -> tuple[float, float]:
        """The oldest comes to its next rung, and is over for now or goes on; seconds of the report, and of the end."""
        name, config = self.training.pop(0)
        assignment = Assignment.model_validate_json(config["assignment"])
        epoch = next((rung for rung in assignment.rungs if rung > assignment.known), assignment.max_epochs)
        report = EpochReport(
            trial=assignment.trial, epoch=epoch, score=self.rng.random(), slot=0, seconds=1.0,
            total_seconds=float(epoch), status="complete" if epoch == assignment.max_epochs else "running",
        )  # fmt: skip
        result = {"report": report.model_dump_json()}
        started = time.thread_time()
        goes_on = report.status == "running" and self.rule.report(observe(config["trial"], config["kind"], report))
        if report.status == "running":
            self.searcher.on_trial_result(name, result)
        heard = time.thread_time()
        self.searcher.on_trial_complete(name, result)
        ended = time.thread_time()
        if goes_on:  # for Tune it would stay; to take it away and up again is as much work
            self.rule.resume(config["trial"]) if self.rule.standing(config["trial"]) else None
        return heard - started, ended - heard


def measure(task: Task, sizes: tuple[int, ...]) -> tuple[Points, Points, Points]:
    """CPU seconds of a suggestion, of a report and of an end, by trials in training."""
    with tempfile.TemporaryDirectory() as folder:
        spec = make_spec(name="decide", results=folder, trials=5 * max(sizes) + 100)
        searcher, rule = make_searcher(spec, task, max(sizes) + 100)
        deciding, tpe = Deciding(searcher, rule), searcher._study.sampler
        suggest: Points = {}
        hear: Points = {}
        end: Points = {}
        for size in sizes:
            searcher._study.sampler = optuna.samplers.RandomSampler(seed=size)
            while len(deciding.training) < size:
                deciding.begin()
            while deciding.names < 4 * size:
                deciding.report()
                deciding.begin()
            searcher._study.sampler = tpe
            told = []
            suggested = []
            for _ in range(REPEATS):
                told.append(deciding.report())
                suggested.append(deciding.begin())
            suggest[size] = median(suggested)
            hear[size], end[size] = median(one for one, _ in told), median(other for _, other in told)
            flush_study(searcher._study)
    return suggest, hear, end
