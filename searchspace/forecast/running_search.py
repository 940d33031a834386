"""A forecast of a running search from its study: the rest of the search, then what follows if the best ones stay so."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from optuna.trial import FrozenTrial, TrialState

from searchspace.families.choose import choose_family
from searchspace.families.outlook import Outlook
from searchspace.finals.race.field import choose_field, choose_finalists
from searchspace.forecast.forecast import Forecast, bounds
from searchspace.forecast.known_times import ClosingTimes
from searchspace.forecast.phase_costs import estimate_phases
from searchspace.forecast.rest_of_search import KnownTrial, draw_rest, make_draws
from searchspace.forecast.trial_timing import family_name, make_timing
from searchspace.spec import SearchSpec
from searchspace.study.trial_attributes import is_paused, read_config, read_recorded_reports
from trainables.data.store.data_summary import DataSummary
from trainables.models.model_registry import is_closed_form
from trainables.training.timing import Timing

DRAWS = 40
"""Rests of a search that are drawn."""
MOST_PLANNED = 64
"""Next trials whose families are planned; later ones are taken to be like them."""


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
    finals: float | None = None
    """Seconds of the race between the best trials so far; None while none of them could be in it."""


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


def planned_shares(outlooks: Sequence[Outlook], count: int) -> dict[str, float]:
    """How often each family would be chosen for the next `count` trials if none of them brought news."""
    known, chosen = {outlook.family: outlook for outlook in outlooks}, Counter[str]()
    for _ in range(min(count, MOST_PLANNED)):
        found = choose_family(list(known.values()))
        if found is None:
            break
        outlook = known[found.family]
        known[found.family] = replace(outlook, spent=outlook.spent + outlook.seconds, left=outlook.left - 1)
        chosen[str(found.family)] += 1
    return {family: number / chosen.total() for family, number in chosen.items()}


def expected_trainings(finalist: Timing, spec: SearchSpec) -> float:
    """Trainings that finals of trials like this one are expected to take."""
    repeats = 1 if is_closed_form(finalist.config) else spec.final_seeds
    return (spec.finalists + 1) * max(1, spec.folds) * _raced(repeats)


def race_seconds(spec: SearchSpec, trials: Sequence[FrozenTrial], data: DataSummary, slots: int) -> float | None:
    """Expected seconds of the finals if the search ended now; None where no trial could be a finalist."""
    able = [trial for trial in trials if trial.state in {TrialState.COMPLETE, TrialState.PRUNED}]
    chosen = choose_finalists(able, spec.finalists)
    if not chosen:
        return None
    plans = choose_field(spec, able, chosen, data.finals).plans
    each = [plan.seconds for plan in plans]
    whole = sum(plan.seconds * len(plan.units[0]) * _raced(len(plan.units)) for plan in plans)
    return max([whole / max(1, slots), *each])


def _raced(seeds: int) -> float:
    """Trainings that a finalist is expected to have of those that it can have: it may be dropped after any of them."""
    return (1 + seeds) / 2


def forecast_rest(
    trials: Sequence[RankedTrial], spec: SearchSpec, data: DataSummary, moment: Moment, rng: random.Random
) -> Forecast:
    """Forecast the whole command from at least one trial."""
    known = [trial.known for trial in trials]
    draws = make_draws(known, moment.weights, spec)
    rests = [draw_rest(known, draws, spec, moment.slots, rng, moment.seconds_left) for _ in range(DRAWS)]
    best = max(trials, key=lambda trial: trial.rank).known.timing
    after = estimate_phases(best, spec, data, moment.slots, moment.closing, expected_trainings(best, spec))
    finals = (after.finals if moment.finals is None else moment.finals) + after.winner
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
