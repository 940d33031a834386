"""The families that a search space has, found by drawing each of its choices of model and of how that is trained."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial

from searchspace.families.family import FAMILY_FIELDS, Family, FamilyChoice, family_of
from searchspace.sampling.space_trial import SpaceError
from searchspace.spaces import DrawError, Space, Task, draw_config
from searchspace.spec import SearchSpec
from trainables.config import TrialConfig

MAX_FAMILIES = 256
"""Combinations of a model and how it is trained that are looked at."""
MAX_GRID = 256
"""Most configurations of a family that are listed."""
DRAWS_OF_A_PATH = 4
"""Draws of one combination, where the space raises for some."""


@dataclass(frozen=True)
class Draw:
    """One configuration of a space."""

    config: TrialConfig
    taken: Mapping[str, Any]
    """Values of the parameters that were walked or fixed."""
    distributions: tuple[BaseDistribution, ...]
    """Of all its parameters."""


class PathSampler(BaseSampler):
    """Takes given choices of some fields, in the order in which a space asks, and draws the rest."""

    def __init__(
        self, path: tuple[int, ...], walked: frozenset[str] | None, fixed: Mapping[str, Any], seed: int
    ) -> None:
        """Take the choices of the fields `walked` (None: of all) with the indices `path`, then first ones."""
        self._path, self._walked, self._fixed = path, walked, fixed
        self._random = RandomSampler(seed=seed)
        self.taken: list[tuple[str, int, int]] = []
        """Field, index of the choice, number of choices."""

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:  # noqa: ARG002  # Optuna's signature
        """None: everything is drawn independently."""
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]  # noqa: ARG002  # Optuna's signature
    ) -> dict[str, Any]:  # fmt: skip
        """Nothing."""
        return {}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The choice of the path, or a random value."""
        if param_name in self._fixed:
            return self._fixed[param_name]
        walks = self._walked is None or param_name in self._walked
        if not walks or not isinstance(param_distribution, CategoricalDistribution):
            return self._random.sample_independent(study, trial, param_name, param_distribution)
        place = len(self.taken)
        index = self._path[place] if place < len(self._path) else 0
        self.taken.append((param_name, index, len(param_distribution.choices)))
        return param_distribution.choices[index]


def enumerate_families(space: Space, task: Task, spec: SearchSpec) -> list[FamilyChoice]:
    """The families of `space` in the order of its choices; a combination for which it raises is no family."""

    def draw(trial: optuna.Trial) -> TrialConfig:
        return draw_config(space, trial, task, spec.pins)

    drawn: dict[Family, list[Draw]] = {}
    for each in _walk(draw, frozenset(FAMILY_FIELDS), {}, spec.seed, MAX_FAMILIES):
        drawn.setdefault(family_of(each.config), []).append(each)
    return [_choice(family, leaves, draw, spec.seed) for family, leaves in drawn.items()]


def _choice(
    family: Family, leaves: Sequence[Draw], draw: Callable[[optuna.Trial], TrialConfig], seed: int
) -> FamilyChoice:
    """A family to which the choices of some draws lead; what leads there besides is left to the sampler."""
    first, *others = (leaf.taken for leaf in leaves)
    fixed = {name: value for name, value in first.items() if all(other.get(name) == value for other in others)}
    if any(not isinstance(each, CategoricalDistribution) and not each.single() for each in leaves[0].distributions):
        return FamilyChoice(family, fixed)
    grid: dict[TrialConfig, Mapping[str, Any]] = {}
    for leaf in leaves:
        for each in _walk(draw, None, leaf.taken, seed, MAX_GRID + 1):
            grid.setdefault(each.config, each.taken)
    return FamilyChoice(family, fixed, grid if len(grid) <= MAX_GRID else None)


def _walk(
    draw: Callable[[optuna.Trial], TrialConfig], walked: frozenset[str] | None, fixed: Mapping[str, Any], seed: int,
    most: int,
) -> Iterator[Draw]:  # fmt: skip
    """Draws of all combinations of the `walked` fields, or of all fields but the `fixed` ones."""
    path: tuple[int, ...] | None = ()
    for number in range(most):
        if path is None:
            return
        for again in range(DRAWS_OF_A_PATH):
            sampler = PathSampler(path, walked, fixed, seed + DRAWS_OF_A_PATH * number + again)
            trial = optuna.create_study(sampler=sampler).ask()
            try:
                config = draw(trial)
            except (DrawError, SpaceError):
                continue
            taken = dict(fixed) | {name: trial.params[name] for name, _, _ in sampler.taken}
            yield Draw(config, taken, tuple(trial.distributions.values()))
            break
        path = _next_path(sampler.taken)


def _next_path(taken: list[tuple[str, int, int]]) -> tuple[int, ...] | None:
    """The next combination in lexicographic order; None after the last."""
    for place in reversed(range(len(taken))):
        _, index, count = taken[place]
        if index + 1 < count:
            return (*(before for _, before, _ in taken[:place]), index + 1)
    return None
