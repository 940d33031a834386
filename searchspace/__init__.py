"""Finds, proves and ships the best image classifier for a data set and a budget.

    import searchspace

    result = searchspace.search("path/to/images", trials=64, budget="1h")
    result.leaderboard
    result.winner.predict(["new.jpg"])

What is listed in `__all__` is imported when it is first used, so that importing this package takes no time.
"""

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from searchspace.api.process.search_errors import SearchFailedError, SearchInterrupted, StopSearch
    from searchspace.api.process.search_events import (
        EpochEnded,
        GangReady,
        LogMessage,
        PhaseEnded,
        PhaseStarted,
        ProgressUpdated,
        SearchEnded,
        SearchEvent,
        SearchStarted,
        TrialEnded,
        TrialPaused,
        TrialResumed,
        TrialStarted,
        WinnerFound,
        WorkProgress,
    )
    from searchspace.api.result import ReportFile, Result, load
    from searchspace.api.search import search
    from searchspace.api.search_options import ResumeOptions, SearchOptions
    from searchspace.api.winner_model import Winner
    from searchspace.cli.interruption import LostError
    from searchspace.prediction.winner_evaluation import Evaluation
    from trainables.common.errors import NoWinnerError, SearchEndedError, UserError
    from trainables.custom.custom_augmentation import augmentation
    from trainables.custom.custom_metric import metric
    from trainables.custom.ranges import Choice, Float, Int, hyperparameters
    from trainables.data.in_memory.array_data import ArrayData

_MODULES = {
    "searchspace.api.result": ("ReportFile", "Result", "load"),
    "searchspace.api.search": ("search",),
    "searchspace.api.process.search_errors": ("SearchFailedError", "SearchInterrupted", "StopSearch"),
    "searchspace.api.process.search_events": (
        "EpochEnded", "GangReady", "LogMessage", "PhaseEnded", "PhaseStarted", "ProgressUpdated", "SearchEnded",
        "SearchEvent", "SearchStarted", "TrialEnded", "TrialPaused", "TrialResumed", "TrialStarted", "WinnerFound",
        "WorkProgress",
    ),
    "searchspace.api.search_options": ("ResumeOptions", "SearchOptions"),
    "searchspace.api.winner_model": ("Winner",),
    "searchspace.cli.interruption": ("LostError",),
    "searchspace.prediction.winner_evaluation": ("Evaluation",),
    "trainables.common.errors": ("NoWinnerError", "SearchEndedError", "UserError"),
    "trainables.custom.custom_augmentation": ("augmentation",),
    "trainables.custom.custom_metric": ("metric",),
    "trainables.custom.ranges": ("Choice", "Float", "Int", "hyperparameters"),
    "trainables.data.in_memory.array_data": ("ArrayData",),
}  # fmt: skip
"""What this package exports, by the module that has it; each name is among the imports above, too."""
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "ArrayData",
    "Choice",
    "EpochEnded",
    "Evaluation",
    "Float",
    "GangReady",
    "Int",
    "LogMessage",
    "LostError",
    "NoWinnerError",
    "PhaseEnded",
    "PhaseStarted",
    "ProgressUpdated",
    "ReportFile",
    "Result",
    "ResumeOptions",
    "SearchEnded",
    "SearchEndedError",
    "SearchEvent",
    "SearchFailedError",
    "SearchInterrupted",
    "SearchOptions",
    "SearchStarted",
    "StopSearch",
    "TrialEnded",
    "TrialPaused",
    "TrialResumed",
    "TrialStarted",
    "UserError",
    "Winner",
    "WinnerFound",
    "WorkProgress",
    "augmentation",
    "hyperparameters",
    "load",
    "metric",
    "search",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with warnings.catch_warnings():
        # Optuna imports tqdm, which warns in a notebook without ipywidgets; no bar of it is shown.
        warnings.filterwarnings("ignore", message="IProgress not found")
        return getattr(import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
