"""Cost weighting: the scores that a sampler sees are combined with what each trial costs.

Scores and costs become ranks first, so that their scales do not matter; trials are compared at one fidelity only.
"""

import copy
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from searchspace.engine.assignments import derive_seed

CostFunction = Callable[[FrozenTrial], float | None]
"""A trial's latency, or its seconds an epoch; None where that is not known."""


def random_cost_weight(seed: int, number: int) -> float:
    """Weight of the cost, from 0 to 1, in one suggestion: drawn anew each time, to search along the whole front.

    ParEGO (Knowles 2006, doi:10.1109/TEVC.2005.851274).
    """
    return float(np.random.default_rng(derive_seed(seed, "weight", number)).random())


def cooling_cost_weight(number: int, trials: int) -> float:
    """Weight of the cost in a search that saves time: 0.5 at first, 0 at its end.

    Cost-cooling (arXiv:2003.10870): cheap configurations are explored first; later, only the score counts.
    """
    return 0.5 * max(0.0, 1.0 - number / trials)


def weight_by_cost(trials: Sequence[FrozenTrial], cost: CostFunction, weight: float) -> list[FrozenTrial]:
    """Trials whose values are (1 - weight) x the score's rank + weight x the cheapness's rank, both from 0 to 1."""
    groups: dict[tuple[TrialState, int | None], list[FrozenTrial]] = defaultdict(list)
    for trial in trials:
        if trial.state in {TrialState.COMPLETE, TrialState.PRUNED} and trial.intermediate_values:
            groups[trial.state, trial.last_step].append(trial)
    seen = {trial.number: trial for trial in trials}
    for group in groups.values():
        scores = _ranks([trial.intermediate_values[trial.last_step or 0] for trial in group])
        costs = [cost(trial) for trial in group]
        known = [value for value in costs if value is not None]
        cheap = _ranks([-(value if value is not None else float(np.mean(known or [0.0]))) for value in costs])
        for trial, value in zip(group, (1 - weight) * scores + weight * cheap, strict=True):
            seen[trial.number] = _with_value(trial, float(value))
    return list(seen.values())


def _ranks(values: Sequence[float]) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Ranks from 0 (lowest) to 1; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    upto = np.cumsum(counts) - (counts + 1) / 2
    return np.asarray(upto[inverse] / max(1, len(values) - 1), dtype=np.float64)


def _with_value(trial: FrozenTrial, value: float) -> FrozenTrial:
    shown = copy.copy(trial)
    shown.intermediate_values = {trial.last_step or 0: value}
    if trial.state == TrialState.COMPLETE:
        shown.value = value
    return shown
