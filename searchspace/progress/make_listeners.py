"""What hears of a search's trials: its forecast, and the tracker of its progress."""

from functools import partial
from typing import TYPE_CHECKING

from searchspace.progress.progress_tracker import ProgressTracker
from searchspace.reporting.tables.trials import describe_trial, rank_trials, read_hyperparameters

if TYPE_CHECKING:
    import optuna

    from searchspace.forecast.live_forecast import LiveForecast
    from searchspace.preparation.plan import Plan
    from searchspace.progress.console_reporter import ConsoleReporter
    from searchspace.spec import SearchSpec


def make_listeners(
    spec: "SearchSpec", plan: "Plan", study: "optuna.Study", reporter: "ConsoleReporter", resumed: bool
) -> "tuple[LiveForecast, ProgressTracker]":
    """What hears of the search's trials: its forecast, and the tracker of its progress."""
    from searchspace.forecast.live_forecast import LiveForecast

    forecast = LiveForecast(spec, plan.task, plan.shape, study, reporter, quiet=resumed)
    tracker = ProgressTracker(spec, plan.shape.slots, reporter)
    tracker.load_earlier_trials(rank_trials(study))
    tracker.remaining_seconds, tracker.describe_trial = forecast.remaining_seconds, partial(describe_trial, study)
    tracker.read_hyperparameters = partial(read_hyperparameters, study)
    return forecast, tracker
