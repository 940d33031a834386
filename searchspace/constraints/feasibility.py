"""Checks before a search whether its space contains a network within the limits."""

import logging
from itertools import groupby, islice

import optuna

from searchspace.constraints.constraints import ConstraintChecker
from searchspace.preparation.first_trials import first_trials
from searchspace.spaces import Space, Task, draw_configs
from searchspace.spec import SearchSpec
from trainables.common.errors import UserError
from trainables.config import TrialConfig
from trainables.export.benchmark.architecture_cost import BenchmarkError, describe_network

logger = logging.getLogger(__name__)

SAMPLE_DRAWS = 256
"""Configurations drawn from the space, where none of the search's first ones keeps the limits."""
SMALLEST_PER_MODEL = 2
"""Networks of each model that are measured: those with the fewest parameters."""


def check_feasible(checker: ConstraintChecker, spec: SearchSpec, space: Space, task: Task) -> None:
    """Raise `UserError` if neither the search's first configurations nor the smallest networks keep the limits.

    Among networks of one model, those with the fewest parameters are as a rule the fastest and smallest. A space that
    is refused here may hold an exception, but the search would hardly find it.
    """
    if not checker.measures:
        return
    starts, drawn = draw_sample(spec, space, task)
    if any(not checker.refusal(config) for config in starts):
        return
    logger.info("measuring small networks, to find one that keeps the limits")
    smallest = _smallest(checker, starts + drawn)
    if all(checker.refusal(config) for config in smallest):
        first = smallest[0]
        raise UserError(
            f"no network of the space fits; the smallest of {SAMPLE_DRAWS} draws is {describe_network(first)}: "
            f"{checker.refusal(first)}"
        )


def draw_sample(spec: SearchSpec, space: Space, task: Task) -> tuple[list[TrialConfig], list[TrialConfig]]:
    """The search's first configurations, and `SAMPLE_DRAWS` random ones of the space, by the search's seed."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=spec.seed))
    starts = first_trials(space, task, spec.pins)
    for values in starts:
        study.enqueue_trial(values)
    configs = list(draw_configs(space, study, task, spec.pins, len(starts) + SAMPLE_DRAWS))
    return configs[: len(starts)], configs[len(starts) :]


def _smallest(checker: ConstraintChecker, configs: list[TrialConfig]) -> list[TrialConfig]:
    """The smallest networks of each model, by ascending number of parameters."""
    sizes: dict[str, tuple[int, TrialConfig]] = {}
    unbuilt = ""
    for config in {describe_network(config): config for config in configs}.values():
        try:
            sizes[describe_network(config)] = checker.parameters(config), config
        except BenchmarkError as error:
            unbuilt = f"{describe_network(config)}: {error}"
    if not sizes:
        raise UserError(f"no network of the space can be built; {unbuilt}")
    by_model = sorted(sizes.values(), key=lambda found: (found[1].model, found[0], found[1].tta))
    kept = [
        found
        for _, group in groupby(by_model, lambda found: found[1].model)
        for found in islice(group, SMALLEST_PER_MODEL)
    ]
    return [config for _, config in sorted(kept, key=lambda found: found[0])]
