"""Selects the checkpoints that stay on disk: those of trials in training, and the best others within a budget."""

from collections.abc import Iterable
from pathlib import Path

from optuna.trial import FrozenTrial

from searchspace.storage.search_folder import trial_folder, trial_name
from searchspace.study.trial_attributes import read_curve
from trainables.config import CHECKPOINTS, EpochReport
from trainables.storage.search_storage import SearchStorage


class CheckpointStore:
    """The checkpoints of trials that are paused or over. A trial without one is trained from the start, if at all."""

    def __init__(self, gigabytes: float, home: SearchStorage, trials: Iterable[FrozenTrial] = ()) -> None:
        """Keep at most `gigabytes` (10^9 bytes), including what `trials` of an earlier part left in `home`."""
        self._budget, self._home = gigabytes * 1e9, home
        self._sizes: dict[Path, int] = {}
        self._reports: dict[Path, EpochReport] = {}
        for trial in trials:
            curve = read_curve(trial)
            if curve and curve[-1].status != "failed":
                self.put(trial_folder(Path(home.folder), trial_name(trial.number)), curve[-1])

    def put(self, trial: Path, report: EpochReport) -> list[Path]:
        """Keep the checkpoint in a trial's folder; returns the folders whose checkpoints were deleted to make room."""
        self._sizes[trial] = self._home.measure_folder(trial / CHECKPOINTS)
        self._reports[trial] = report
        gone: list[Path] = []
        if sum(self._sizes.values()) <= self._budget:
            return gone  # to sort thousands takes milliseconds
        for worst in self._worst_first():
            if sum(self._sizes.values()) <= self._budget:
                break
            self._home.remove_folder(worst / CHECKPOINTS)
            del self._sizes[worst]
            gone.append(worst)
        return gone

    def _worst_first(self) -> list[Path]:
        """Complete trials, which need no more training, then paused ones, and last the best complete one."""
        through = {folder: self._reports[folder].status == "complete" for folder in self._sizes}
        best = max(
            (f for f in through if through[f]), key=lambda folder: self._reports[folder].objective_value, default=None
        )

        def place(folder: Path) -> tuple[bool, bool, int, float]:
            report = self._reports[folder]
            return folder == best, not through[folder], report.epoch, report.objective_value

        return sorted(self._sizes, key=place)

    def claim(self, trial: Path) -> None:
        """Hear that a trial is trained on: its checkpoint is in use, and must not be deleted."""
        self._sizes.pop(trial, None)
