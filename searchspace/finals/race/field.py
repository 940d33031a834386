"""The field of a race: who is in it, who is hopeless, and what became of each in the end."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

from searchspace.finals.baseline import choose_reference, find_probe
from searchspace.finals.comparison import Comparison, ComparisonOutcome
from searchspace.finals.final_trainings import FinalTraining
from searchspace.finals.finalist import Finalist
from searchspace.finals.race.prospects import Prospect, chance, find_hopeless
from searchspace.finals.race.race_record import DroppedFinalist, DropReason, RaceRecord
from searchspace.finals.race.race_trainings import FinalistPlan, expected_seconds
from searchspace.spec import SearchSpec
from searchspace.study.trial_attributes import read_config, read_curve
from trainables.data.finals_validation import FinalsValidation
from trainables.metrics.metric_registry import MetricName
from trainables.models.model_registry import is_closed_form


def choose_finalists(trials: Sequence[FrozenTrial], count: int) -> list[FrozenTrial]:
    """The best full-length trials; where there are too few, those that got furthest, by their newest score."""

    def rank(trial: FrozenTrial) -> tuple[bool, int, float]:
        last = read_curve(trial)[-1]
        return trial.state == TrialState.COMPLETE, last.epoch, last.objective_value

    able = [t for t in trials if t.state in {TrialState.COMPLETE, TrialState.PRUNED} and read_curve(t)]
    return sorted(able, key=rank, reverse=True)[:count]


@dataclass(frozen=True)
class RaceField:
    """Who is in a race, and who was left out."""

    plans: tuple[FinalistPlan, ...]
    """The finalists, by search score, and what is trained for comparison."""
    references: tuple[FrozenTrial, ...]
    """Trials that are trained for comparison."""
    hopeless: dict[int, float]
    """Trials that are not trained again, and how far the search's score is behind its best."""
    planned: int
    """Trainings of all of them from all seeds, or on all folds."""
    prospects: dict[int, Prospect]
    """What the search says of each, by trial."""
    images: int
    """Validation images of the search."""
    tried: int
    """Trials that the best of the search is the best of."""


def choose_field(
    spec: SearchSpec, trials: Sequence[FrozenTrial], chosen: Sequence[FrozenTrial], validation: FinalsValidation,
    joined: Sequence[FrozenTrial] = (),
) -> RaceField:  # fmt: skip
    """The finalists that are not hopeless, the best probe, and what the search began with where that is not either.

    Closed-form heads that are `joined` in an ensemble are trained, too.

    Where there is a probe to compare with, the configuration that the search began with is trained only if that takes
    no longer than the best finalist.
    """
    references = choose_reference(spec, trials, chosen)
    prospects = {trial.number: _prospect(spec, trial) for trial in (*chosen, *references)}
    tried = sum(trial.state == TrialState.COMPLETE for trial in trials)
    probe = find_probe(trials)
    hopeless = find_hopeless(spec.metric, list(prospects.values()), validation.search_images, tried)
    hopeless = {number: lead for number, lead in hopeless.items() if not probe or number != probe.number}
    longest = prospects[chosen[0].number].seconds if probe else float("inf")
    references = [each for each in references if each is probe or prospects[each.number].seconds <= longest]
    known = {trial.number for trial in (*chosen, *references)}
    members = [trial for trial in joined if trial.number not in known and is_closed_form(read_config(trial))]
    hopeless = {number: lead for number, lead in hopeless.items() if number not in {t.number for t in joined}}
    prospects |= {trial.number: _prospect(spec, trial) for trial in members}
    references += members
    able = [trial for trial in (*chosen, *references) if trial.number not in hopeless]
    planned = len(prospects) * spec.final_seeds * max(1, spec.folds)
    return RaceField(
        tuple(FinalistPlan.of(spec, trial) for trial in able), tuple(t for t in references if t in able), hopeless,
        planned, prospects, validation.search_images, tried,
    )  # fmt: skip


def _prospect(spec: SearchSpec, trial: FrozenTrial) -> Prospect:
    curve = read_curve(trial)
    last = curve[-1] if curve else None
    score = last.score if last and trial.state == TrialState.COMPLETE else None
    return Prospect(
        trial.number, score, last.accuracy if last else 0.0, expected_seconds(spec, trial),
        is_closed_form(read_config(trial)),
    )  # fmt: skip


def describe_field(spec: SearchSpec, field: RaceField) -> list[str]:
    """Lines on what will be trained."""
    seeds = "1 fresh seed" if spec.final_seeds == 1 else f"up to {spec.final_seeds} fresh seeds each"
    if spec.folds > 1:
        seeds = f"{spec.folds} folds each" + (f", up to {spec.final_seeds} times" if spec.final_seeds > 1 else "")
    others = [plan.trial.number for plan in field.plans if plan.trial not in field.references]
    lines = [f"finals: trials {', '.join(map(str, others))} again, {spec.max_epochs} epochs, {seeds}"]
    for trial in field.references:
        what = "the best probe" if is_closed_form(read_config(trial)) else "the search's first configuration"
        lines.append(f"finals: trial {trial.number}, {what}, for comparison")
    return lines


def make_race_record(
    field: RaceField, trainings: Sequence[FinalTraining], finalists: Sequence[Finalist], bounded: bool
) -> RaceRecord:
    """What the race saved: who had fewer trainings than planned, and why; `bounded` if there was a budget."""
    scored = {finalist.name: finalist for finalist in finalists if finalist.is_rescored}
    dropped = [
        DroppedFinalist(trial=number, trained=0, planned=0, reason=DropReason.HOPELESS, difference=lead)
        for number, lead in field.hopeless.items()
    ]
    for plan in field.plans:
        number, most = plan.trial.number, len(plan.units)
        count = sum(training.trial.number == number for training in trainings) // len(plan.units[0])
        has_failed = count > 0 and number not in scored
        if count == most or has_failed:
            continue
        comparison = scored[number].comparison if number in scored else None
        reason = DropReason.BUDGET if bounded else DropReason.DECIDED
        if comparison and comparison.is_significant:
            reason = DropReason.BEHIND
        difference = comparison.difference if comparison else None
        dropped.append(DroppedFinalist(trial=number, trained=count, planned=most, reason=reason, difference=difference))
    closed = tuple(plan.trial.number for plan in field.plans if plan.is_deterministic)
    return RaceRecord(trainings=len(trainings), planned=field.planned, dropped=tuple(dropped), closed_form=closed)


def with_unscored_winner(
    metric: MetricName, field: RaceField, scored: Sequence[Finalist], begun: Collection[int]
) -> tuple[Finalist, ...]:
    """The finalists that have a score, the winner first: one that no time was left for, if nothing else can win.

    Without any re-score the best of the search wins. Else it does if its lead in the search is more than the luck of
    the best of so many trials; what was trained again wins in doubt.
    """
    plan = next((plan for plan in field.plans if plan.trial.number not in begun), None)
    if plan is None:
        return tuple(scored)
    own = field.prospects[plan.trial.number]
    rival = field.prospects.get(scored[0].members[0]) if scored else None
    if rival and (own.score is None or chance(metric, own, rival, max(1, field.images), field.tried) >= 0.5):
        return tuple(scored)
    last = read_curve(plan.trial)[-1]
    winner = Finalist(
        members=(plan.trial.number,), search_score=last.score, full_length=own.score is not None, scores=(),
        val_losses=(), lost=0, seconds=0.0, deterministic=plan.is_deterministic, planned=len(plan.units),
    )  # fmt: skip
    return winner, *(each.model_copy(update={"comparison": _search_difference(winner, each)}) for each in scored)


def _search_difference(winner: Finalist, other: Finalist) -> Comparison:
    difference = (winner.search_score or 0.0) - (other.search_score if other.search_score is not None else other.score)
    return Comparison(difference=difference, low=None, high=None, reason=ComparisonOutcome.NOT_RESCORED)
