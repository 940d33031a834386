"""A second thing to be good at: the scores that a sampler sees are weighed against what a trial costs.

Scores and costs become ranks first, so that no scale matters, and trials are only ever compared at one fidelity.
"""

import copy
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from searchspace.engine.assignments import derive_seed

Cost = Callable[[FrozenTrial], float | None]
"""A trial's latency, or its seconds an epoch; None where it is not known."""


def random_weight(seed: int, number: int) -> float:
    """The cost's weight, from 0 to 1, in one suggestion: drawn anew each time, so that the whole front is sought.

    ParEGO (Knowles 2006, doi:10.1109/TEVC.2005.851274).
    """
    return float(np.random.default_rng(derive_seed(seed, "weight", number)).random())


def cooling_weight(number: int, trials: int) -> float:
    """The cost's weight in a search that spares time: half at first, nothing at its end.

    Cost-cooling (arXiv:2003.10870): cheap configurations are explored first, and nothing good is missed for its price.
    """
    return 0.5 * max(0.0, 1.0 - number / trials)


def weigh(trials: Sequence[FrozenTrial], cost: Cost, weight: float) -> list[FrozenTrial]:
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
            seen[trial.number] = _valued(trial, float(value))
    return list(seen.values())


def _ranks(values: Sequence[float]) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Ranks from 0 (lowest) to 1, equals sharing theirs."""
    _, inverse, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    upto = np.cumsum(counts) - (counts + 1) / 2
    return np.asarray(upto[inverse] / max(1, len(values) - 1), dtype=np.float64)


def _valued(trial: FrozenTrial, value: float) -> FrozenTrial:
    shown = copy.copy(trial)
    shown.intermediate_values = {trial.last_step or 0: value}
    if trial.state == TrialState.COMPLETE:
        shown.value = value
    return shown
