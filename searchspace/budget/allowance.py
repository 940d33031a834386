"""What a phase of a search may take: the one question that phases ask of the budget."""

import math
from collections.abc import Callable
from enum import StrEnum


class Phase(StrEnum):
    """A phase of a search, in the order in which they run; some overlap."""

    PREPARATION = "preparation"
    """From the shell to the first warm gang: options, data, Ray."""
    SEARCH = "search"
    """The trials."""
    FINALS = "finals"
    """The finalists, again from fresh seeds."""
    WINNER = "winner"
    """The winner on train and validation images, and its student."""
    TEST = "test"
    """The one evaluation on the test split."""
    EXPORT = "export"
    """Files, parity checks and measurements."""
    REPORT = "report"
    """Report and model card."""


Allowance = Callable[[Phase], float]
"""Seconds that a phase may still take by the present plan, at least 0; infinite without a budget."""


def unlimited(_phase: Phase) -> float:
    """The allowance of a search without a budget."""
    return math.inf
