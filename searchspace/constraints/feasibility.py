"""Whether a space holds anything that fits the limits: asked before a search that could only refuse."""

import logging
from itertools import groupby, islice

import optuna

from searchspace.constraints.constraints import ConstraintChecker
from searchspace.spaces import Space, Task, default_space, default_trials, draw_configs
from searchspace.spec import SearchSpec
from trainables.common.errors import UserError
from trainables.config import TrialConfig
from trainables.export.benchmark.architecture_cost import MeasureError, describe_network

logger = logging.getLogger(__name__)

SAMPLE_DRAWS = 64
"""Configurations drawn from the space, where none that the search would begin with fits."""
SMALLEST_PER_MODEL = 2
"""Of each model's networks among them, by parameters, that are held to the limits."""


def check_feasible(gate: ConstraintChecker, spec: SearchSpec, space: Space, task: Task) -> None:
    """Raise `UserError` if neither what the search begins with nor the smallest networks of the space may be trained.

    Among networks of one model, those with the fewest parameters are as a rule the quickest and smallest in every
    respect; a space refused here may hold an exception, but hardly one that is worth an endless search.
    """
    if not gate.measures:
        return
    starts, drawn = draw_sample(spec, space, task)
    if any(not gate.refusal(config) for config in starts):
        return
    logger.info("measuring small networks, in search of one that fits the limits")
    smallest = _smallest(gate, starts + drawn)
    if all(gate.refusal(config) for config in smallest):
        first = smallest[0]
        raise UserError(
            f"no network of the space fits; the smallest of {SAMPLE_DRAWS} draws is {describe_network(first)}: "
            f"{gate.refusal(first)}"
        )


def draw_sample(spec: SearchSpec, space: Space, task: Task) -> tuple[list[TrialConfig], list[TrialConfig]]:
    """What the search begins with, and `SAMPLE_DRAWS` random configurations of the space, always the same."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=spec.seed))
    starts = default_trials(task, spec.pins) if space is default_space else []
    for values in starts:
        study.enqueue_trial(values)
    configs = list(draw_configs(space, study, task, spec.pins, len(starts) + SAMPLE_DRAWS))
    return configs[: len(starts)], configs[len(starts) :]


def _smallest(gate: ConstraintChecker, configs: list[TrialConfig]) -> list[TrialConfig]:
    """The smallest few of each model, each network once, the smallest of all first."""
    sizes: dict[str, tuple[int, TrialConfig]] = {}
    unbuilt = ""
    for config in {describe_network(config): config for config in configs}.values():
        try:
            sizes[describe_network(config)] = gate.parameters(config), config
        except MeasureError as error:
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
