"""Early stopping and sampling replayed over recorded learning curves, without training: regret against seconds.

    python tests/benchmarks/bench_replay.py --alexnet CURVES.jsonl [--own results/benchmarks/curves/digits.jsonl ...]

The pool's configurations come in an order of their own in each repeat; every way meets the same orders. Regret is the
best full-length score in the pool less the full-length score of the configuration that a search would then take: the
one with the best score seen so far. Ray's rule is Ray's own class. The ways with TPE choose from the pool what
is nearest to its suggestion, by this project's sampler, with what a search would have told it by then.
"""

import argparse
import math
import random
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from ray.tune.schedulers import AsyncHyperBandScheduler
from recorded import Pool, final, read_alexnet, read_own

from searchspace.sampling.samplers import make_sampler
from searchspace.spec import SearchSpec
from searchspace.stopping.asha import Asha
from searchspace.stopping.full_length import FullLength
from searchspace.stopping.pasha import Pasha
from searchspace.stopping.rule import StoppingRule
from searchspace.stopping.rules import make_rule
from searchspace.stopping.rung import Observation, rungs
from searchspace.stopping.simulate_curves import Curve, Step, simulate
from tests.helpers.benchmarks.record import INTERVAL, write_record

FACTOR = 3
BUDGETS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
"""Shares of the seconds that random search takes to train the whole pool."""
SPACE: dict[str, BaseDistribution] = {
    "epochs": IntDistribution(20, 100), "batch_size": IntDistribution(128, 1024, log=True),
    "lr": FloatDistribution(5e-3, 5e1, log=True), "momentum": FloatDistribution(0.7, 1.0),
    "weight_decay": FloatDistribution(1e-6, 1e-3, log=True), "label_smoothing": FloatDistribution(0.0, 0.5),
    "peak": FloatDistribution(0.0, 0.8),
}  # fmt: skip


def _tpe(pool: Pool, seed: int) -> "Sampled":
    """The pool in TPE's order."""
    return Sampled(pool, "tpe", seed, pool.longest)


class RayAsha(FullLength):
    """Ray Tune's stopping variant of ASHA, by its own code."""

    def __init__(self, grace: int, factor: int, longest: int) -> None:
        rays = AsyncHyperBandScheduler(max_t=longest + 1, grace_period=grace, reduction_factor=factor, brackets=1)
        self._bracket = rays._brackets[0]

    def report(self, observation: Observation) -> bool:
        trial = SimpleNamespace(trial_id=observation.trial)  # all that it asks of a Tune trial
        return self._bracket.on_result(trial, observation.epoch, observation.value) == "CONTINUE"


class Sampled(Sequence[Curve]):
    """The pool in the order in which a sampler asks for it; `hear` tells it of every epoch."""

    def __init__(self, pool: Pool, sampler: str, seed: int, length: int) -> None:
        spec = SearchSpec(name="replay", seed=seed, trials=len(pool.curves), max_epochs=length)
        self._study = optuna.create_study(direction="maximize", sampler=make_sampler(spec, sampler))
        self._pool, self._left = pool, set(range(len(pool.curves)))
        self.chosen: list[int] = []
        self._trials: list[Any] = []

    def __len__(self) -> int:
        return len(self._pool.curves)

    def __getitem__(self, index: Any) -> Any:
        while len(self.chosen) <= index:
            self._choose()
        return self._pool.curves[self.chosen[index]]

    def _choose(self) -> None:
        asked = self._study.ask(SPACE)
        nearest = min(self._left, key=lambda row: _distance(asked.params, self._pool.params[row]))
        self._left.remove(nearest)
        self.chosen.append(nearest)
        params = self._pool.params[nearest]
        self._study._storage.set_trial_state_values(asked._trial_id, TrialState.FAIL)  # it was only a wish
        template = optuna.trial.create_trial(
            state=TrialState.RUNNING, params={k: _clip(SPACE[k], v) for k, v in params.items()}, distributions=SPACE
        )
        number = self._study._storage.create_new_trial(self._study._study_id, template)
        self._trials.append(optuna.Trial(self._study, number))

    def hear(self, step: Step, over: bool) -> None:
        trial, observation = self._trials[step.observation.trial], step.observation
        if observation.value == -math.inf:
            self._study.tell(trial, state=TrialState.FAIL)
            return
        trial.report(observation.value, observation.epoch)
        trial.set_user_attr("waits_at", observation.epoch)  # so that it counts as held back until it goes on
        if over:
            self._study.tell(trial, observation.value)


def _clip(distribution: Any, value: float) -> float:
    return min(max(value, distribution.low), distribution.high)


def _distance(one: dict[str, Any], other: dict[str, Any]) -> float:
    def unit(name: str, value: float) -> float:
        d: Any = SPACE[name]
        low, high, value = (math.log(x) if d.log else x for x in (d.low, d.high, _clip(d, value)))
        return (value - low) / (high - low)

    return sum((unit(name, one[name]) - unit(name, other[name])) ** 2 for name in SPACE)


def regrets(
    pool: Pool, curves: Sequence[Curve], rule: StoppingRule, slots: int, ends: Sequence[float]
) -> Iterator[float]:
    """Regret at each of `ends`, ascending seconds."""
    seen, taken, due = -math.inf, 0.0, list(ends)
    for step in simulate(curves, rule, slots):
        while due and step.time > due[0]:
            due.pop(0)
            yield pool.best - taken
        if not due:
            return
        curve = curves[step.observation.trial]
        if isinstance(curves, Sampled):
            curves.hear(step, step.observation.epoch == len(curve.values))
        if step.observation.value > seen:
            seen, taken = step.observation.value, final(curve)
    yield from [pool.best - taken for _ in due]


Way = Callable[[Pool, Pool, int], tuple[Pool, Sequence[Curve], StoppingRule]]


def ways_of(pool: Pool) -> dict[str, Way]:
    """Every way to search a pool, from (pool, pool at shares, seed)."""

    def shuffled(pool: Pool, seed: int) -> list[Curve]:
        return random.Random(seed).sample(pool.curves, len(pool.curves))

    def levels(pool: Pool) -> tuple[int, ...]:
        return rungs(max(1, round(pool.longest / 9)), FACTOR, pool.longest)

    ways: dict[str, Way] = {
        "random": lambda p, _s, n: (p, shuffled(p, n), FullLength()),
        "Ray's ASHA, its defaults": lambda p, _s, n: (p, shuffled(p, n), RayAsha(1, 4, p.longest)),
        "Ray's ASHA, our rungs": lambda p, _s, n: (p, shuffled(p, n), RayAsha(levels(p)[0], FACTOR, p.longest)),
        "pasha": lambda p, _s, n: (p, shuffled(p, n), Pasha(rungs(1, FACTOR, p.longest), FACTOR)),
        "asha": lambda p, _s, n: (p, shuffled(p, n), Asha(levels(p), FACTOR)),
    }
    if pool.name == "alexnet-imagenet":
        ways |= {
            "pasha, rungs at shares": lambda _p, s, n: (s, shuffled(s, n), Pasha(rungs(1, FACTOR, s.longest), FACTOR)),
            "asha, rungs at shares": lambda _p, s, n: (s, shuffled(s, n), Asha(levels(s), FACTOR)),
            "Ray's ASHA, rungs at shares": lambda _p, s, n: (s, shuffled(s, n), RayAsha(2, FACTOR, s.longest)),
            "tpe": lambda p, _s, n: (p, _tpe(p, n), FullLength()),
            "tpe, Ray's ASHA, its defaults": lambda p, _s, n: (p, _tpe(p, n), RayAsha(1, 4, p.longest)),
            "tpe, Ray's ASHA, rungs at shares": lambda _p, s, n: (s, _tpe(s, n), RayAsha(2, FACTOR, s.longest)),
            "default (tpe, asha, rungs at shares)": lambda _p, s, n: (
                s, _tpe(s, n), make_rule("asha", "epochs", levels(s), FACTOR),
            ),
        }  # fmt: skip
    return ways


def measure(pool: Pool, at_shares: Pool, repeats: int, slots: int) -> dict[str, Any]:
    """Mean regret with its 95 % interval, by way and budget."""
    whole = sum(curve.seconds[-1] for curve in pool.curves) / slots
    ends = [share * whole for share in BUDGETS]
    found: dict[str, Any] = {"hours": [round(end / 3600, 4) for end in ends], "ways": {}}
    print(f"{pool.name}: {len(pool.curves)} curves, {slots} slots; hours {found['hours']}", flush=True)
    for name, way in ways_of(pool).items():
        runs = []
        for seed in range(repeats):
            used, curves, rule = way(pool, at_shares, seed)
            runs.append(list(regrets(used, curves, rule, slots, ends)))
        columns = list(zip(*runs, strict=True))
        means = [statistics.mean(column) for column in columns]
        halves = [1.96 * statistics.stdev(column) / math.sqrt(repeats) for column in columns]
        found["ways"][name] = {
            "n": repeats, "regret": [round(m, 5) for m in means], "plus_minus": [round(h, 5) for h in halves],
        }  # fmt: skip
        cells = "  ".join(f"{100 * m:5.2f} ± {100 * h:4.2f}" for m, h in zip(means, halves, strict=True))
        print(f"  {name:38s} {cells}", flush=True)
    return found


def main() -> None:
    """Replay, print regrets in points, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--alexnet", type=Path)
    parser.add_argument("--own", type=Path, nargs="*", default=[])
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--slots", type=int, default=4)
    given = parser.parse_args()
    pools = [(pool := read_own(file), pool) for file in given.own]
    if given.alexnet:
        pools.append((read_alexnet(given.alexnet, shares=False), read_alexnet(given.alexnet, shares=True)))
    figures = {pool.name: measure(pool, shares, given.repeats, given.slots) for pool, shares in pools}
    arguments = [f"--repeats {given.repeats}", f"--slots {given.slots}", *(["--alexnet FILE"] if given.alexnet else [])]
    settings = {"reduction_factor": FACTOR, "grace": "a ninth of the full length", "budgets": BUDGETS}
    settings |= {"slots": given.slots, "curves": {pool.name: len(pool.curves) for pool, _ in pools}}
    print(write_record("bench_replay", {"settings": settings, **figures}, arguments, spread=INTERVAL))


if __name__ == "__main__":
    main()
