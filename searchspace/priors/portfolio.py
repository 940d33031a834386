"""A portfolio: configurations that complement each other on recorded data sets, tried before a search has a model.

Zero-shot hyperparameter optimisation (Wistuba et al. 2015, doi:10.1109/DSAA.2015.7344817); chosen as in auto-sklearn
2.0 (arXiv:2007.04074). `tests/benchmarks/build_portfolio.py` wrote `portfolio.json`, and measures what it is worth.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from itertools import zip_longest
from typing import Any

from searchspace.sampling.transfer import Draw, transfer_values
from searchspace.spaces import Task
from trainables.config import Frozen, TrialConfig
from trainables.models.model_registry import learning_kind

MAX_TRIALS = 4
"""Trials of a search that are from the portfolio, at most."""
TRIALS_FOR_ONE = 8
"""Trials of a search for each that is from the portfolio: the model's own draws are most of them."""
BY_IMAGES = ("flip", "tta", "balance", "fit", "crop_scale")
"""Hyperparameters that follow from what the images are: they stay as in the model's default."""

NETWORK = ("model", "freeze", "head_solver")
"""Fields that say what is trained, and how."""


class Portfolio(Frozen):
    """Configurations by family, the first ones first."""

    data: tuple[str, ...]
    """Data sets that it was chosen on."""
    families: dict[str, tuple[dict[str, Any], ...]]
    """By name of a family: hyperparameters of each configuration, its model among them."""


def read_portfolio() -> Portfolio:
    """The portfolio that is packaged."""
    return Portfolio.model_validate_json((files("searchspace.priors") / "portfolio.json").read_text())


def count_portfolio_trials(trials: int) -> int:
    """How many of a search's trials are from the portfolio."""
    return min(MAX_TRIALS, trials // TRIALS_FOR_ONE)


def portfolio_trials(
    portfolio: Portfolio, task: Task, draw: Draw, defaults: Sequence[Mapping[str, Any]], count: int
) -> list[dict[str, Any]]:
    """The values of at most `count` trials, families in turn; only those that the space of `draw` takes.

    A configuration is tried with the model of its family that is searched here, if any is, and begins with what
    `defaults` have for that; one that is a default is left out.
    """
    found: list[dict[str, Any]] = [dict(default) for default in defaults]
    for entry in _in_turn(portfolio.families.values()):
        if len(found) == len(defaults) + count:
            break
        values = _match(entry, task, draw, defaults)
        if values and values not in found:
            found.append(values)
    return found[len(defaults) :]


def _in_turn(families: Iterable[Sequence[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    for row in zip_longest(*families):
        yield from (entry for entry in row if entry is not None)


def _match(
    entry: Mapping[str, Any], task: Task, draw: Draw, defaults: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    """What an entry is in this search; None where its family is not searched."""
    config = TrialConfig.model_validate(dict(entry))
    scratch = learning_kind(config) == "scratch"
    models = [model for model in task.models if (model not in task.pretrained) == scratch]
    if not models:
        return None
    wanted = config.model_copy(update={"model": config.model if config.model in models else models[0]})
    default = next((d for d in defaults if d.get("model", wanted.model) == wanted.model), {})
    values = {**default, **entry, **{name: default[name] for name in BY_IMAGES if name in default}}
    network = {name: getattr(wanted, name) for name in NETWORK}
    found = transfer_values(values | network, draw, clip=True)
    if found is None or any(getattr(wanted, name) != getattr(found.config, name) for name in NETWORK):
        return None
    return found.kept
