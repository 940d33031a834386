"""A forecast of a running search from its study: the rest of the search, then what follows if the best ones stay so."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from optuna.trial import FrozenTrial, TrialState

from searchspace.forecast.forecast import Forecast, bounds
from searchspace.forecast.known_times import ClosingTimes
from searchspace.forecast.phase_costs import estimate_phases, finals_seconds
from searchspace.forecast.rest_of_search import KnownTrial, draw_rest, make_draws
from searchspace.forecast.trial_timing import family_name, make_timing
from searchspace.spec import SearchSpec
from searchspace.study.trial_attributes import is_paused, read_config, read_recorded_reports
from trainables.data.store.data_summary import DataSummary

DRAWS = 40
"""Rests of a search that are drawn."""


@dataclass(frozen=True)
class RankedTrial:
    """A trial that has reported, and how well it did."""

    known: KnownTrial
    """Its cost."""
    rank: tuple[bool, int, float]
    """Whether it is complete, its epochs, its objective value: what finalists are chosen by."""


@dataclass(frozen=True)
class Moment:
    """A search at one moment."""

    now: float
    """Seconds since the command's start."""
    start: float
    """Seconds from that start until the first step."""
    slots: int
    """Trials at a time."""
    weights: Mapping[str, float]
    """How often new trials are of each family, relative to the others."""
    closing: ClosingTimes
    """What test, export and report of the best trial's model took before."""
    seconds_left: float = float("inf")
    """Seconds that the search may still take."""


def read_trials(trials: Sequence[FrozenTrial], data: DataSummary, steady_from: float = 0.0) -> list[RankedTrial]:
    """The trials of a study that have reported and did not fail, in their order.

    Epochs that began before `steady_from`, in seconds since 1970, count where a trial has no others: gangs were
    starting on the same cores.
    """
    found = []
    for trial in trials:
        entries = read_recorded_reports(trial) if "config" in trial.user_attrs else []
        curve = [entry.report for entry in entries if entry.report.status != "failed"]
        if not curve or trial.state == TrialState.FAIL:
            continue
        steady = [e.report for e in entries if e.at is not None and e.at - e.report.seconds >= steady_from]
        config = read_config(trial)
        running = trial.state == TrialState.RUNNING and not is_paused(trial)
        timing = make_timing(config, curve, data, [report for report in steady if report.status != "failed"])
        known = KnownTrial(timing, family_name(config), curve[-1].epoch, running)
        found.append(RankedTrial(known, (_is_complete(trial), curve[-1].epoch, curve[-1].objective_value)))
    return found


def _is_complete(trial: FrozenTrial) -> bool:
    return bool(trial.state == TrialState.COMPLETE)


def recent_shares(trials: Sequence[RankedTrial]) -> dict[str, float]:
    """How often each family was tried among the newer half of the trials: what a sampler has learnt shows there."""
    newer = [trial.known.family for trial in trials[len(trials) // 2 :]]
    return {family: newer.count(family) / len(newer) for family in newer}


def forecast_rest(
    trials: Sequence[RankedTrial], spec: SearchSpec, data: DataSummary, moment: Moment, rng: random.Random
) -> Forecast:
    """Forecast the whole command from at least one trial."""
    known = [trial.known for trial in trials]
    draws = make_draws(known, moment.weights, spec)
    rests = [draw_rest(known, draws, spec, moment.slots, rng, moment.seconds_left) for _ in range(DRAWS)]
    best = sorted(trials, key=lambda trial: trial.rank, reverse=True)[: spec.finalists]
    finalists = [*best, *([] if trials[0] in best else [trials[0]])]
    after = estimate_phases(best[0].known.timing, spec, data, moment.slots, moment.closing)
    finals = finals_seconds([trial.known.timing for trial in finalists], spec, moment.slots) + after.winner
    ends = [moment.now + rest.seconds for rest in rests]
    rest_of_all = finals + after.test + after.export + after.report
    low, high = bounds(ends)
    return Forecast(
        basis=f"the first {len(trials)} trials", start=moment.start,
        search=fmean(ends), search_low=low, search_high=high,
        finals=finals, closing=after.test + after.export + after.report,
        epochs=sum(trial.known.epoch for trial in trials) + fmean(rest.epochs for rest in rests),
        checkpoints_mb=0.0, total_low=low + rest_of_all, total_high=high + rest_of_all, total_if={},
        trials=None if moment.seconds_left == float("inf") else len(trials) + round(fmean(r.trials for r in rests)),
    )  # fmt: skip
