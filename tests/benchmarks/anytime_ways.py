"""The ways that `bench_anytime.py` compares: schedules, and what is evaluated of the weights that a schedule leaves.

A schedule is trained once, however many averages watch it: an average reads the weights and changes nothing.
"""

import math
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import islice

import torch
from torch import nn

from trainables.config import Assignment
from trainables.data.loading.epoch_plan import Mixing, PlannedBatch, epoch_plan
from trainables.training.evaluation import evaluate, forward
from trainables.training.loop import TrialRun
from trainables.training.optimizers import set_rate
from trainables.workers.worker_context import WorkerContext

WARMUP, COOLDOWN = 0.1, 0.2
"""Shares of all steps: the linear warm-up of every schedule, the trapezoid's linear fall at its end."""
CYCLES = (0, 2, 6, 18)
"""Epochs of 18 at which the restarting schedule is back at zero: the default rungs, and the end."""
BRANCHES = (0.1, 0.2)
"""Steps of a rung's own cooldown, as shares of the steps so far."""
STATISTICS_IMAGES = 512
"""Training images that batch norm's statistics are taken anew from."""


def _warmed(gone: float) -> float:
    return gone / WARMUP + 1e-3 if gone < WARMUP else 0.0


def _cycled(gone: float) -> float:
    epoch = gone * CYCLES[-1]
    end = next(end for end in CYCLES[1:] if epoch < end)
    start = CYCLES[CYCLES.index(end) - 1]
    part = (epoch - start) / (end - start)
    return part / WARMUP + 1e-3 if part < WARMUP else (1 - part) / (1 - WARMUP)


def _ema(step: int, decay: float) -> float:
    return 1 - min(decay, step / (9 + step)) if step > 1 else 1.0


SCHEDULES: dict[str, Callable[[float], float]] = {
    "cosine": lambda gone: _warmed(gone) or 0.5 * (1 + math.cos(math.pi * (gone - WARMUP) / (1 - WARMUP))),
    "triangular": lambda gone: _warmed(gone) or (1 - gone) / (1 - WARMUP),
    "trapezoid": lambda gone: _warmed(gone) or min(1.0, (1 - gone) / COOLDOWN),
    "restarts": _cycled,
}
"""Factor on the peak rate by the share of all steps that is gone."""

AVERAGES: dict[str, Callable[[int], float]] = {
    "ema 0.9": lambda step: _ema(step, 0.9),
    "ema 0.98": lambda step: _ema(step, 0.98),
    "poly 1": lambda step: 2 / (step + 1),
    "poly 3": lambda step: 4 / (step + 3),
}
"""Weight of the newest of `step` snapshots in their average; "poly n" weighs snapshot t by about t to the n-th."""


FRESH = "fresh statistics"
REFRESHED = ("raw", "ema 0.98", "poly 1", "poly 3")
"""What is also evaluated with batch norm's statistics taken anew."""


class Weighed:
    """An average of a module and its buffers, whose newest snapshot weighs what a function of their number says."""

    def __init__(self, module: nn.Module, share: Callable[[int], float]) -> None:
        self.module = deepcopy(module).requires_grad_(False)
        self.share, self.steps, self.seconds = share, 0, 0.0
        self.pairs = list(zip(_tensors(self.module), _tensors(module), strict=True))

    @torch.no_grad()
    def update(self) -> None:
        started = time.process_time()
        self.steps += 1
        averages, values = zip(*self.pairs, strict=True)
        torch._foreach_lerp_(averages, values, self.share(self.steps))
        self.seconds += time.process_time() - started


def _tensors(module: nn.Module) -> list[torch.Tensor]:
    return [tensor.detach() for tensor in (*module.parameters(), *module.buffers()) if tensor.is_floating_point()]


class Watched(TrialRun):
    """A trial under one of `SCHEDULES`, with every one of `AVERAGES` beside it; its own weights stay raw."""

    def __init__(self, assignment: Assignment, place: WorkerContext, schedule: str) -> None:
        super().__init__(assignment, place)
        self.factor = SCHEDULES[schedule]
        self.averages = {name: Weighed(self.learner, share) for name, share in AVERAGES.items()}
        self.watched = True
        self.cpu = 0.0

    def learning_rate_factor(self, step: int) -> float:
        return self.factor(step / (self.steps_an_epoch * self.assignment.max_epochs))

    @property
    def averaged(self) -> nn.Module:
        return self.learner

    def recalibrate_averaged(self) -> None:
        """Leave batch norm's statistics as training left them."""

    def _step(self, batch: PlannedBatch, inputs: torch.Tensor) -> torch.Tensor:
        loss = super()._step(batch, inputs)
        if self.watched:
            for average in self.averages.values():
                average.update()
        return loss

    def watch_epoch(self) -> float:
        """Train an epoch; the raw weights' accuracy. `cpu` grows by what that took without the averages."""
        started, before = time.process_time(), self._watching()
        score = self.train_epoch().score
        self.cpu += time.process_time() - started - (self._watching() - before)
        return score

    def _watching(self) -> float:
        return sum(average.seconds for average in self.averages.values())

    def score(self, module: nn.Module) -> float:
        """Validation accuracy of a module as it is."""
        return evaluate(module, self.evaluation_inputs(), self.context.store.rows("val"), self.context.group).accuracy

    def average_accuracies(self) -> dict[str, float]:
        """Accuracy of every average; and of some, and of the raw weights, with fresh statistics."""
        modules = {"raw": self.learner} | {name: average.module for name, average in self.averages.items()}
        scores = {name: self.score(module) for name, module in modules.items() if name != "raw"}
        return scores | {f"{name}, {FRESH}": self.fresh_score(modules[name]) for name in REFRESHED}

    @torch.no_grad()
    def fresh_score(self, module: nn.Module) -> float:
        """Accuracy of a copy of `module` whose batch norms took their statistics anew from plain training images."""
        module = deepcopy(module).eval()
        norms = [child for child in module.modules() if isinstance(child, nn.BatchNorm2d)]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean
            norm.train()
        rows = self.rows[:: max(1, len(self.rows) // STATISTICS_IMAGES)] if norms else self.rows[:0]
        for start in range(0, len(rows), 256):
            forward(module, self.evaluation_inputs().of(rows[start : start + 256]))
        return self.score(module)

    def cooled(self, share: float) -> tuple[float, float, float]:
        """Accuracy after a linear cooldown over `share` of the steps so far, also with fresh statistics; CPU seconds.

        Then all is undone.
        """
        started = time.process_time()
        kept = deepcopy((self.learner.state_dict(), self.optimizer.state_dict(), torch.get_rng_state()))
        count = max(1, round(share * self.epochs * self.steps_an_epoch))
        peak = self.rate(self.epochs * self.steps_an_epoch - 1)
        self.watched = False
        self.module.train()
        for step, batch in enumerate(islice(self._coming(), count)):
            set_rate(self.optimizer, peak * (1 - (step + 1) / (count + 1)))
            self._step(batch, self.data.load(self.rows[batch.needed_rows]))
        score, fresh = self.score(self.learner), self.fresh_score(self.learner)
        self.watched = True
        self.learner.load_state_dict(kept[0])
        self.optimizer.load_state_dict(kept[1])
        torch.set_rng_state(kept[2])
        return score, fresh, time.process_time() - started

    def _coming(self) -> Iterator[PlannedBatch]:
        config, assignment = self.assignment.config, self.assignment
        mixing = Mixing.from_config(config, self.context.store.labels[self.rows])
        for epoch in range(self.epochs, 2 * assignment.max_epochs):
            yield from epoch_plan(len(self.rows), config.batch_size, assignment.seed, epoch, mixing)
