"""Presets: shares of a budget, and how much is searched and proven; what options default to that are not given."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationInfo

from searchspace.budget.allowance import Phase

MAX_COUNT = 1_000_000
"""Largest count of trials, epochs and the like."""
DEFAULT_GRACE_EPOCHS = 2
"""Default epochs of the first rung, where trials are not shorter themselves."""
PresetName = Literal["fast", "balanced", "best"]


@dataclass(frozen=True)
class Preset:
    """Defaults of some options, and the shares of a budget. Each preset has at least what the one before it has."""

    description: str
    """In a few words, for the help."""
    trials: int
    """Configurations in all; without a budget."""
    finalists: int
    """Best trials that are trained again."""
    final_seeds: int
    """Fresh seeds of each finalist."""
    patience: int
    """Trials in a row without gain before a search with a budget may end early."""
    shares: Mapping[Phase, float]
    """Of what a budget leaves above the least that each phase needs, by phase; their sum is 1."""


PRESETS: dict[PresetName, Preset] = {
    "fast": Preset(
        "16 trials, one finalist, one seed", trials=16, finalists=1, final_seeds=1, patience=8,
        shares={Phase.SEARCH: 0.9, Phase.FINALS: 0.05, Phase.EXPORT: 0.05},
    ),
    "balanced": Preset(
        "64 trials, 3 finalists, 3 seeds", trials=64, finalists=3, final_seeds=3, patience=16,
        shares={Phase.SEARCH: 0.7, Phase.FINALS: 0.2, Phase.EXPORT: 0.1},
    ),
    "best": Preset(
        "256 trials, 5 finalists, 5 seeds", trials=256, finalists=5, final_seeds=5, patience=32,
        shares={Phase.SEARCH: 0.6, Phase.FINALS: 0.3, Phase.EXPORT: 0.1},
    ),
}  # fmt: skip
"""By name, the shortest first."""
DEFAULT_PRESET: PresetName = "balanced"


def default_trial_count(known: dict[str, Any]) -> int:
    """Trials in all: those of the preset, and without limit under a budget."""
    return MAX_COUNT if known.get("budget") else _preset(known).trials


def default_grace_epochs(known: dict[str, Any]) -> int:
    """Epochs of the first rung, at most those of a whole trial."""
    return min(DEFAULT_GRACE_EPOCHS, int(known.get("max_epochs", DEFAULT_GRACE_EPOCHS)))


def default_patience(known: dict[str, Any]) -> int:
    """Under a budget the preset's; 0, never, without one, and where a search cannot end early."""
    return _preset(known).patience if known.get("budget") and not _why_no_patience(known) else 0


def check_patience(value: int, known: ValidationInfo) -> int:
    """A patience as it was given; raises `ValueError` where the other options leave no sense to it."""
    if value and (reason := _why_no_patience(known.data)):
        raise ValueError(reason)
    return value


def _why_no_patience(known: dict[str, Any]) -> str:
    if known.get("reproducible"):
        return "depends on when trials report, which --reproducible rules out; leave one of them out"
    if "latency" in known.get("objectives", ()):
        return "is for a search for one winner, not for --objectives with latency; leave one of them out"
    return ""


def default_finalists(known: dict[str, Any]) -> int:
    """The preset's number of finalists."""
    return _preset(known).finalists


def default_final_seeds(known: dict[str, Any]) -> int:
    """The preset's number of seeds; one repetition of a cross-validation."""
    return 1 if known.get("folds", 0) > 1 else _preset(known).final_seeds


def _preset(known: dict[str, Any]) -> Preset:
    return PRESETS[known.get("preset", DEFAULT_PRESET)]
