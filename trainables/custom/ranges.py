"""Ranges of a part's own hyperparameters, declared beside the function that takes them."""

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, TypeAdapter

from trainables.common.errors import UserError, suggest
from trainables.config import Frozen, TrialConfig

DECLARATION = "hyperparameters"
"""Attribute of a function, or of a class, that holds its ranges by name."""
Value = bool | int | float | str
"""What a hyperparameter may be: what a study and a record keep unchanged."""
F = TypeVar("F", bound=Callable[..., Any])


def _check_choices(choices: tuple[Value, ...]) -> tuple[Value, ...]:
    kinds = {type(choice) for choice in choices}
    if len(kinds) > 1:
        raise ValueError(f"choices are of one type; found {', '.join(sorted(kind.__name__ for kind in kinds))}")
    if len(set(choices)) < len(choices):
        raise ValueError("a choice is given twice; give each once")
    return choices


class Choice(Frozen):
    """One of a list of values, all of one type."""

    kind: Literal["choice"] = "choice"
    """Discriminator."""
    choices: Annotated[tuple[Value, ...], AfterValidator(_check_choices)] = Field(min_length=1)
    """The values; the first one is the default."""

    def __init__(self, *choices: Value, **fields: Any) -> None:
        """Offer `choices`, the default first: `Choice(2, 4, 8)`. Raises ValueError for none, or for mixed types."""
        super().__init__(**(fields if fields else {"choices": choices}))

    @property
    def default(self) -> Value:
        """The first choice."""
        return self.choices[0]

    def parse(self, text: str) -> Value:
        """The choice that `text` writes; raises ValueError that names all."""
        for choice in self.choices:
            if text == str(choice) or (isinstance(choice, bool) and text.lower() == str(choice).lower()):
                return choice
        raise ValueError(f"is none of {', '.join(map(str, self.choices))}")


class Int(Frozen):
    """A whole number from `low` to `high`, both included."""

    kind: Literal["int"] = "int"
    """Discriminator."""
    low: int
    """Smallest value."""
    high: int
    """Largest value."""
    log: bool = False
    """Whether it is searched on a logarithmic scale."""

    def __init__(self, low: int, high: int, log: bool = False, **fields: Any) -> None:
        """Search `low` to `high`: `Int(1, 6)`. Raises ValueError where no number lies between."""
        super().__init__(**fields | {"low": low, "high": high, "log": log})
        _check_bounds(low, high, log)

    @property
    def default(self) -> int:
        """The middle, geometric on a logarithmic scale."""
        return round(_middle(self.low, self.high, self.log))

    def parse(self, text: str) -> int:
        """The whole number that `text` writes; raises ValueError for any other text."""
        try:
            return int(text)
        except ValueError:
            raise ValueError("is no whole number") from None


class Float(Frozen):
    """A number from `low` to `high`."""

    kind: Literal["float"] = "float"
    """Discriminator."""
    low: float = Field(allow_inf_nan=False)
    """Smallest value."""
    high: float = Field(allow_inf_nan=False)
    """Largest value."""
    log: bool = False
    """Whether it is searched on a logarithmic scale."""

    def __init__(self, low: float, high: float, log: bool = False, **fields: Any) -> None:
        """Search `low` to `high`: `Float(1e-4, 1e-1, log=True)`. Raises ValueError where no number lies between."""
        super().__init__(**fields | {"low": low, "high": high, "log": log})
        _check_bounds(low, high, log)

    @property
    def default(self) -> float:
        """The middle, geometric on a logarithmic scale."""
        return _middle(self.low, self.high, self.log)

    def parse(self, text: str) -> float:
        """The finite number that `text` writes; raises ValueError for any other text."""
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise ValueError("is no number")
        return number


OwnRange = Annotated[Choice | Int | Float, Field(discriminator="kind")]
RANGES: TypeAdapter[dict[str, OwnRange]] = TypeAdapter(dict[str, OwnRange])
"""Ranges by name, as a record keeps them."""


def hyperparameters(**ranges: Choice | Int | Float) -> Callable[[F], F]:
    """Declare the hyperparameters of a function: `@searchspace.hyperparameters(heads=Choice(2, 4), ratio=Float(0, 1))`.

    They are passed to it by name. Raises TypeError for what is no range.
    """
    for name, found in ranges.items():
        if not isinstance(found, Choice | Int | Float):
            raise TypeError(f"{name}={found!r}: expected Choice(...), Int(low, high) or Float(low, high)")

    def declare(function: F) -> F:
        setattr(function, DECLARATION, dict(ranges))
        return function

    return declare


def declared_ranges(function: Any) -> dict[str, OwnRange]:
    """The ranges declared beside `function`, by name; raises `UserError` for a declaration that cannot be used."""
    declared = getattr(function, DECLARATION, {})
    if not isinstance(declared, Mapping):
        raise UserError(f"{DECLARATION} is {declared!r}; expected a dict of names and ranges")
    for name, found in declared.items():
        if not isinstance(found, Choice | Int | Float):
            raise UserError(f"{DECLARATION}: {name} is {found!r}; expected Choice(...), Int(low, high) or Float(...)")
        if name in TrialConfig.model_fields:
            raise UserError(
                f"declares the hyperparameter {name!r}, which is one of searchspace's own; give it another name, "
                f"such as own_{name}"
            )
        if not str(name).isidentifier():
            raise UserError(f"declares the hyperparameter {name!r}; a name is a Python identifier")
    return dict(declared)


def parse_value(name: str, text: str, ranges: Mapping[str, Choice | Int | Float]) -> Value:
    """The value that `--set name=text` gives a hyperparameter of `ranges`; raises `UserError` for a wrong one."""
    if name not in ranges:
        known = [*ranges, *(field for field in TrialConfig.model_fields if field != "custom")]
        hint = suggest(name, known)
        raise UserError(f"--set {name!r}: no such hyperparameter; there are {', '.join(known)}{hint}")
    try:
        return ranges[name].parse(text)
    except ValueError as error:
        raise UserError(f"--set {name}={text}: {error}") from error


def _check_bounds(low: float, high: float, log: bool) -> None:
    if not low <= high:
        raise ValueError(f"no number lies between {low} and {high}")
    if log and low <= 0:
        raise ValueError(f"a logarithmic range begins above 0, not at {low}")


def _middle(low: float, high: float, log: bool) -> float:
    return math.sqrt(low * high) if log else (low + high) / 2
