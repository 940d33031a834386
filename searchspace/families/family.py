"""A family: the trials of one model that are trained in one way, so that they cost and earn about the same."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainables.config import TrialConfig
from trainables.models.model_registry import is_closed_form, is_pretrained

FAMILY_FIELDS = ("model", "freeze", "head_solver")
"""Fields of `TrialConfig` that a family is known by; the values that a trial of it begins with."""


@dataclass(frozen=True)
class Family:
    """A model, and how its parameters are found."""

    model: str
    """The architecture's name."""
    learning: str
    """`scratch`, `closed form`, `frozen` (a head by gradient steps), or `fine-tuned` from a cut of the backbone."""

    def __str__(self) -> str:
        """`convnet`, `tf_efficientnet_lite0 closed form`."""
        return self.model if self.learning == "scratch" else f"{self.model} {self.learning}"


@dataclass(frozen=True)
class FamilyChoice:
    """A family of a search space, and how a trial of it is drawn there."""

    family: Family
    """The family."""
    fixed: Mapping[str, Any]
    """Values of the parameters that lead to it."""
    grid: Mapping[TrialConfig, Mapping[str, Any]] | None = None
    """The parameters of each of its configurations, if those are few; None where a parameter is a number."""

    @property
    def size(self) -> float:
        """Configurations that it has; infinite where a parameter is a number."""
        return math.inf if self.grid is None else len(self.grid)


def family_of(config: TrialConfig) -> Family:
    """The family of a configuration."""
    if not is_pretrained(config.model):
        return Family(config.model, "scratch")
    if is_closed_form(config):
        return Family(config.model, "closed form")
    if config.freeze == "all":
        return Family(config.model, "frozen")
    return Family(config.model, "fine-tuned" if config.freeze == "none" else f"fine-tuned above {config.freeze}")
