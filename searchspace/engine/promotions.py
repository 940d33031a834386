"""Paused trials that may train on, and which of them does: those whose families pay, before new trials or after."""

from collections.abc import Callable, Mapping

from searchspace.engine.active_trials import ActiveTrial
from searchspace.engine.family_chooser import FamilyChooser
from searchspace.stopping.rule import StoppingRule
from searchspace.stopping.rung import RungStanding

PATIENT_SHARE = 1 / 3
"""A trial that earns less a second than this share of what another family would is held at its rung."""
LEAST_CHANCE = 0.01
"""Chance of becoming the best below which no trial is trained on when all are begun."""


class Promotions:
    """The trials that the stopping rule would train on, in the order in which they do.

    Without families that is the rule's own order. With them, a trial that passed its rung is held there while other
    families pay more, and is taken up when nothing does.
    """

    def __init__(
        self, rule: StoppingRule, families: FamilyChooser | None, on_promoted: Callable[[ActiveTrial], None]
    ) -> None:
        """Take up trials that `rule` promotes, as `families` pay; `on_promoted` hears of each promotion at once."""
        self._rule, self._on_promoted = rule, on_promoted
        self._families = families if families and families.by_earning else None
        self._held: dict[int, ActiveTrial] = {}

    def hold(self, trial: ActiveTrial) -> None:
        """Hold a trial that passed its rung."""
        self._held[trial.number] = trial
        if self._families is not None:
            self._families.hold(trial.number)

    def standing(self, trial: ActiveTrial) -> RungStanding | None:
        """Where a held trial stands among the best scores of all trials; None for any other."""
        if trial.number not in self._held or self._families is None:
            return None
        value, rivals = trial.last.objective_value, self._families.best_scores()
        rank = 1 + sum(rival > trial.last.score for rival in rivals)
        return RungStanding(rung=trial.last.epoch, value=value, cutoff=max(rivals), rank=rank, of=len(rivals))

    def pays(self, trial: ActiveTrial, no_new: bool) -> bool:
        """Whether a trial that may train on does so at once; `no_new`: no new trials come."""
        if self._families is None:
            return True
        if no_new:
            return self._families.chance(trial.number) >= LEAST_CHANCE
        rate, chosen = self._families.rate(trial.number), self._families.chosen
        others = [self._families.rate(number) for number in self._held]
        if chosen is not None and chosen.family != self._families.family(trial.number):
            others.append(chosen.outlook.rate)
        return rate >= PATIENT_SHARE * max(others, default=0.0)

    def take(self, trials: Mapping[int, ActiveTrial], no_new: bool) -> ActiveTrial | None:
        """Which of `trials` trains on next; None where a new trial is due, or with `no_new` where none is worth it."""
        if self._families is None:
            return self._promoted(trials)
        while (promoted := self._promoted(trials)) is not None:
            self.hold(promoted)
        best = self._due(self._families, no_new)
        if best is None:
            return None
        self._families.hold(best, held=False)
        return self._held.pop(best)

    def _due(self, families: FamilyChooser, no_new: bool) -> int | None:
        """The held trial that is due: of the family that is, or of one that pays more than a new trial of that."""
        chosen = None if no_new else families.chosen
        own = [number for number in self._held if chosen and families.family(number) == chosen.family]
        best = max(own or self._held, key=families.rate, default=None)
        if best is None or own:
            return best
        if chosen is None:
            return best if families.chance(best) >= LEAST_CHANCE else None
        return best if families.rate(best) >= chosen.outlook.rate and not chosen.by_floor else None

    def _promoted(self, trials: Mapping[int, ActiveTrial]) -> ActiveTrial | None:
        while (number := self._rule.promote()) is not None:
            trial = trials.get(number)
            if trial is not None:  # None: it ended in an earlier part of a search that was extended
                self._on_promoted(trial)
                return trial
        return None
