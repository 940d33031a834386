"""What a simulated search came to, and how that is kept while it runs."""

from typing import TYPE_CHECKING, Any

import numpy as np

from tests.helpers.scale.clock import Clock, Machine
from trainables.config import Frozen

if TYPE_CHECKING:
    from tests.helpers.scale.costs import Costs


class Outcome(Frozen):
    """One simulated search. Shares are from 0 to 1.

    Those of the driver, and the steady one of the GPUs, are of the time from when all slots have trained, or all gangs
    are warm if that never comes, until there is not a trial for everybody any more.
    """

    seconds: float
    """From the start of gangs to the end of the last epoch."""
    trials: int
    """Configurations that were trained."""
    complete: int
    """Of these, at full length."""
    epochs: int
    """Epochs that the searcher heard of."""
    all_warm: float
    """Seconds until every gang could train."""
    all_filled: float | None
    """Seconds until every slot had trained; None if the search ran out of trials before."""
    utilisation: float
    """GPUs' share of the whole search spent in training."""
    steady: float
    """The same, while there are trials for all."""
    decision_p50: float
    """Median seconds from the report at a rung to the next epoch of a trial that goes on."""
    decision_p95: float
    """95th percentile of that."""
    handover_p50: float
    """Median seconds from the last report of one trial to the first epoch of the gang's next."""
    handover_p95: float
    """95th percentile of that."""
    epochs_per_second: float
    """Epochs that the searcher hears of, while there are trials for all."""
    loop: float
    """Busy share of Tune's loop."""
    mailbox: float
    """Busy share of the trial broker."""
    cores: float
    """Cores of the head that are busy."""
    head_gb: float
    """Memory of the head, in GB (10^9 bytes)."""


class Watch:
    """Counts, while a search is simulated."""

    def __init__(self, clock: Clock, head: Machine, setting: Any, kept: float) -> None:
        self._clock, self._head, self._setting, self._kept = clock, head, setting, kept
        self._busy, self._area, self._since = 0, 0.0, 0.0
        self._slots: set[int] = set()
        self._all_warm, self._epochs, self.is_dry = 0.0, 0, False
        self._done: list[int] = []
        self._decisions: list[float] = []
        self._handovers: list[float] = []
        self._marks: dict[str, tuple[float, float, dict[str, float]]] = {}

    def trains(self, slot: int) -> None:
        """One gang more trains."""
        self._change(1)
        self._slots.add(slot)
        if len(self._slots) == min(self._setting.slots, self._setting.trials) and not self.is_dry:
            self._mark("filled")

    def rests(self) -> None:
        """One gang less trains."""
        self._change(-1)

    def warm(self, count: int) -> None:
        """So many gangs are warm."""
        if count == self._setting.slots:
            self._all_warm = self._clock.now
            self._mark("warm")

    def dry(self) -> None:
        """The searcher has nothing for a free slot: the search runs out, the first time."""
        self._mark("dry")
        self.is_dry = True

    def heard(self) -> None:
        """One epoch more."""
        self._epochs += 1

    def decided(self, seconds: float) -> None:
        """A gang got the word to go on after so long."""
        self._decisions.append(seconds)

    def handed(self, seconds: float) -> None:
        """A gang got its next trial after so long."""
        self._handovers.append(seconds)

    def done(self, trial: int) -> None:
        """One trial is at its full length."""
        self._done.append(trial)

    def _change(self, change: int) -> None:
        self._area += self._busy * (self._clock.now - self._since)
        self._busy, self._since = self._busy + change, self._clock.now

    def _mark(self, name: str) -> None:
        if name not in self._marks:
            self._change(0)
            self._marks[name] = (self._clock.now, self._area, self._head.busy | {"epochs": float(self._epochs)})

    def outcome(self, costs: "Costs", trials: int) -> Outcome:
        """All of it."""
        filled = self._marks.get("filled")
        began, before, then = filled or self._marks["warm"]
        ended, after, now = self._marks["dry"]
        span, slots = max(ended - began, 1e-9), self._setting.slots
        used = {name: (now[name] - then[name]) / span for name in now}
        rate = used.pop("epochs")
        decisions, handovers = self._decisions or [0.0], self._handovers or [0.0]
        return Outcome(
            seconds=self._clock.now, trials=trials, complete=len(set(self._done)), epochs=self._epochs,
            all_warm=self._all_warm, all_filled=filled[0] if filled else None,
            utilisation=self._area / slots / self._clock.now, steady=(after - before) / slots / span,
            decision_p50=float(np.percentile(decisions, 50)), decision_p95=float(np.percentile(decisions, 95)),
            handover_p50=float(np.percentile(handovers, 50)), handover_p95=float(np.percentile(handovers, 95)),
            epochs_per_second=rate, loop=used["loop"], mailbox=used["mailbox"], cores=sum(used.values()) + self._kept,
            head_gb=(costs.base_mb + slots * costs.slot_mb + trials * costs.trial_mb) / 1e3,
        )  # fmt: skip
