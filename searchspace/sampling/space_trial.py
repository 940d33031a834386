"""The trial that a search space draws from: Optuna's, with pinned values and checks of each request."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from math import isfinite
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution

from trainables.common.errors import UserError

PLAIN = (bool, int, float, str, type(None))
"""Types of choices that a study stores unchanged."""


class SpaceError(UserError):
    """A defect of a search space: what it suggests cannot be searched, in any draw."""


@dataclass(frozen=True)
class Range:
    """What a parameter was suggested from."""

    kind: str
    """`float`, `int` or `choices`."""
    choices: tuple[Any, ...] = ()
    """The choices, as the study keeps them."""
    low: float = 0.0
    """Smallest value."""
    high: float = 0.0
    """Largest value."""
    options: tuple[tuple[str, Any], ...] = ()
    """`step` and `log`, as far as they are given."""

    def __str__(self) -> str:
        """`float 0.001 to 0.1 (log=True)`, `choices [8, 16]`."""
        if self.kind == "choices":
            return f"choices {list(self.choices)}"
        options = ", ".join(f"{name}={value}" for name, value in self.options)
        return f"{self.kind} {self.low:g} to {self.high:g}" + (f" ({options})" if options else "")


class SpaceTrial:
    """A trial as a space sees it: pinned hyperparameters have one choice, which the study records like the others.

    Choices may be tuples, lists, dicts and NumPy values: the study stores their text, and the space gets its own object
    back. Raises `SpaceError` naming the parameter for what Optuna would misread, or refuse without naming it: two
    ranges for one name, choices that differ between draws, bounds with no number between them.
    """

    def __init__(self, trial: optuna.Trial, pins: Mapping[str, Any], known: dict[str, Range] | None = None) -> None:
        """Fix `pins` in all that `trial` suggests; `known` are the ranges of earlier draws, and is added to."""
        self._trial, self._pins = trial, pins
        self._known = {} if known is None else known
        self._ranges: dict[str, Range] = {}

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of `choices`, or the pinned value.

        Where a search is resumed whose study has other choices, it goes on with those that both have.
        """
        offered = list(choices)
        keys = [_key(name, choice) for choice in offered]
        for index, key in enumerate(keys):
            if _index(keys, key) != index:
                raise SpaceError(f"the space suggests {name!r} with the choice {key!r} twice; give each once")
        picked = self._suggest(name, Range("choices", tuple(keys)), lambda: self._pick(name, keys))
        return picked if name in self._pins else offered[_index(keys, picked)]

    def _pick(self, name: str, keys: list[Any]) -> Any:
        """One of `keys`; raises `optuna.TrialPruned` for one that the study offers and the space does no longer."""
        try:
            return self._trial.suggest_categorical(name, keys)
        except ValueError:
            recorded = _recorded_choices(self._trial, name)
            if not any(choice in keys for choice in recorded):
                raise
        picked = self._trial.suggest_categorical(name, recorded)
        try:
            return keys[_index(keys, picked)]
        except ValueError as error:
            raise optuna.TrialPruned(f"{name}: {error}") from error

    def suggest_float(self, name: str, low: float, high: float, **options: Any) -> Any:
        """A number from `low` to `high`, or the pinned value; `step` and `log` as in Optuna."""
        low, high = self._bounds(name, low, high)
        plain = _options(options)
        return self._suggest(
            name, Range("float", (), low, high, tuple(sorted(plain.items()))),
            lambda: self._trial.suggest_float(name, low, high, **plain),
        )  # fmt: skip

    def suggest_int(self, name: str, low: int, high: int, **options: Any) -> Any:
        """A whole number from `low` to `high`, or the pinned value; `step` and `log` as in Optuna."""
        bounds = self._bounds(name, low, high)
        if any(bound != int(bound) for bound in bounds):
            raise SpaceError(f"the space suggests the int {name!r} from {low} to {high}; give whole numbers")
        least, most = (int(bound) for bound in bounds)
        plain = _options(options)
        return self._suggest(
            name, Range("int", (), least, most, tuple(sorted(plain.items()))),
            lambda: self._trial.suggest_int(name, least, most, **plain),
        )  # fmt: skip

    def suggest_uniform(self, name: str, low: float, high: float) -> Any:
        """Optuna's older name of `suggest_float`."""
        return self.suggest_float(name, low, high)

    def suggest_loguniform(self, name: str, low: float, high: float) -> Any:
        """Optuna's older name of `suggest_float` with `log=True`."""
        return self.suggest_float(name, low, high, log=True)

    def suggest_discrete_uniform(self, name: str, low: float, high: float, q: float) -> Any:
        """Optuna's older name of `suggest_float` with `step`."""
        return self.suggest_float(name, low, high, step=q)

    def _bounds(self, name: str, low: Any, high: Any) -> tuple[float, float]:
        try:
            bounds = float(low), float(high)
        except (TypeError, ValueError) as error:
            raise SpaceError(f"the space suggests {name!r} from {low!r} to {high!r}; give numbers") from error
        if not all(map(isfinite, bounds)) or bounds[0] > bounds[1]:
            raise SpaceError(f"the space suggests {name!r} from {low} to {high}; no number lies between")
        return bounds

    def _suggest(self, name: str, wanted: Range, draw: Callable[[], Any]) -> Any:
        first = self._ranges.setdefault(name, wanted)
        if first != wanted:
            raise SpaceError(
                f"the space suggests {name!r} twice, from {first} and from {wanted}; Optuna would keep the first: "
                "give each range a name of its own"
            )
        known = self._known.setdefault(name, wanted)
        if known.kind != wanted.kind or (known.kind == "choices" and known != wanted):
            raise SpaceError(
                f"the space suggests {name!r} from {known} in one draw and from {wanted} in another; Optuna needs the "
                "same in all: give each a name of its own, or choose among all and raise optuna.TrialPruned"
            )
        if name in self._pins:
            return self._trial.suggest_categorical(name, [self._pins[name]])
        try:
            return draw()
        except (ValueError, TypeError) as error:
            said = str(error).splitlines() or [type(error).__name__]
            raise SpaceError(f"the space suggests {name!r} from {wanted}: {said[0]}") from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trial, name)


def plain(value: Any) -> Any:
    """A NumPy scalar as Python's own number, text or truth value; anything else as it is."""
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return value.item()
    return value


def _options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that differ from Optuna's defaults, so that a range with `log=False` equals one without."""
    given = {name: plain(value) for name, value in options.items()}
    return {name: value for name, value in given.items() if value is not None and value is not False}


def _recorded_choices(trial: optuna.Trial, name: str) -> Sequence[Any]:
    """The choices of a parameter that the study of `trial` has; none where no trial has the parameter."""
    found = (known.distributions.get(name) for known in trial.study.get_trials(deepcopy=False))
    return next((each.choices for each in found if isinstance(each, CategoricalDistribution)), ())


def _index(keys: Sequence[Any], key: Any) -> int:
    """Place of a choice; raises ValueError for none of them. 1, 1.0 and True are three different ones."""
    places = [i for i, each in enumerate(keys) if each is key or (type(each) is type(key) and each == key)]
    if not places:
        raise ValueError(f"{key!r} is no choice of the space any more")
    return places[0]


def _key(name: str, choice: Any) -> Any:
    """What the study stores for a choice: the choice where its type is plain, else its text."""
    value = _content(name, choice)
    return value if isinstance(value, PLAIN) else repr(value)


def _content(name: str, choice: Any) -> Any:
    value = plain(choice)
    if isinstance(value, (Enum, *PLAIN)):
        return value
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, dict):
        return {_content(name, key): _content(name, each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        content = [_content(name, each) for each in value]
        return tuple(content) if isinstance(value, tuple) else content
    raise SpaceError(
        f"the space suggests {name!r} with the choice {value!r}, a {type(value).__name__}; choices are None, bool, "
        "int, float, str, and tuples, lists and dicts of these: suggest its name, and look it up"
    )
