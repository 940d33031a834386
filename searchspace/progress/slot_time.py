"""What the slots of a search spent their time on: training, features, set-up, decisions, idling, start."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from trainables.config import EpochReport

LABELS = {
    "training": "training", "features": "features", "setup": "set-up", "saving": "saving", "unfinished": "unfinished",
    "decisions": "decisions", "idle": "idle", "start": "start",
}  # fmt: skip
"""The words for each part, in their order."""


@dataclass(frozen=True)
class SlotSeconds:
    """Seconds of all slots together since the command began, each second in one part."""

    training: float = 0.0
    """Epochs, with their evaluations; of a closed-form head, its solution."""
    features: float = 0.0
    """Work that later trials save: features of frozen backbones."""
    setup: float = 0.0
    """Networks, optimizers and checkpoints of new and resumed trials."""
    saving: float = 0.0
    """Checkpoints that had to be written before a report."""
    unfinished: float = 0.0
    """Epochs that never came to their report: of trials that failed, or were cut off by the search's end."""
    decisions: float = 0.0
    """The rest: a gang that waited for its next trial, or for the decision to continue."""
    idle: float = 0.0
    """Slots for which there was no trial: others had to end first, or the search was ending."""
    start: float = 0.0
    """Before the slot's gang was warm."""

    @property
    def whole(self) -> float:
        """All of it."""
        return float(sum(getattr(self, name) for name in LABELS))

    def describe(self) -> str:
        """The shares of all parts that are not empty, and training and decisions in any case."""
        shares = {name: 100 * getattr(self, name) / max(1e-9, self.whole) for name in LABELS}
        shown = {name: x for name, x in shares.items() if x >= 0.5 or name in {"training", "decisions"}}
        return " · ".join(f"{LABELS[name]} {x:.0f} %" for name, x in shown.items())


class SlotTime:
    """Adds up what the slots do, from the reports of their gangs and the events of their trials."""

    def __init__(self, slots: int, seconds: Callable[[], float]) -> None:
        """Begin with nothing, on `slots` slots, by the time of `seconds`."""
        self._slots, self._seconds = slots, seconds
        self._warm: dict[int, float] = {}
        self._heard: dict[int, float] = {}  # running trials, and when the newest of each was heard
        self._free, self._free_since = 0, 0.0
        self._parts = dict.fromkeys(("training", "features", "setup", "saving", "unfinished", "idle"), 0.0)

    @property
    def training(self) -> float:
        """Seconds of training."""
        return self._parts["training"]

    @property
    def warm(self) -> Mapping[int, float]:
        """When each slot's gang became warm, in seconds since the command began."""
        return self._warm

    def on_gang_ready(self, slot: int) -> None:
        """Hear that a gang can train."""
        self._add_idle()
        self._warm[slot] = self._seconds()

    def on_free(self, slots: int) -> None:
        """Hear for how many free slots there is no trial at present."""
        self._add_idle()
        self._free = slots

    def on_running(self, number: int, report: EpochReport | None) -> None:
        """Hear that a trial begins, goes on, or has trained an epoch, of which `report` is then given."""
        self._heard[number] = self._seconds()
        if report is not None:
            self._parts["training"] += report.seconds
            self._parts["features"] += report.shared_seconds
            self._parts["setup"] += max(0.0, report.setup_seconds - report.shared_seconds)
            self._parts["saving"] += report.save_seconds

    def on_end(self, number: int) -> None:
        """Hear that a trial has left its slot; what it did since its newest epoch came to nothing."""
        heard = self._heard.pop(number, None)
        if heard is not None:
            self._parts["unfinished"] += self._since(heard)

    def read(self) -> SlotSeconds:
        """The seconds of all slots so far."""
        self._add_idle()
        now = self._seconds()
        start = sum(self._warm.values(), (self._slots - len(self._warm)) * now)
        unfinished = self._parts["unfinished"] + sum(map(self._since, self._heard.values()))
        known = self._parts | {"unfinished": unfinished, "start": start}
        return SlotSeconds(**known, decisions=max(0.0, now * self._slots - sum(known.values())))

    def _since(self, heard: float) -> float:
        """Seconds since something was heard, in which a gang may have been warm."""
        return max(0.0, self._seconds() - max(heard, min(self._warm.values(), default=self._seconds())))

    def _add_idle(self) -> None:
        now = self._seconds()
        cold = self._slots - len(self._warm)
        self._parts["idle"] += max(0, self._free - cold) * (now - self._free_since)
        self._free_since = now
