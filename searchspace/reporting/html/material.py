"""What a report is made from: the study and the files of one search, each read once."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from searchspace.finals.finalist import Finalist, read_finalists
from searchspace.finals.reliability import TestPredictions, load_predictions
from searchspace.finals.winner import METRICS_FILE
from searchspace.preparation.record import read_data
from searchspace.reporting.damaged_results import check_classes
from searchspace.reporting.html.blocks import MissingError
from searchspace.reporting.tables.table import Row
from searchspace.reporting.tables.trials import board_rows
from searchspace.spec import SearchSpec, load_facts, load_spec
from searchspace.stopping.rung import rungs
from searchspace.storage.search_folder import SEARCH_RECORD, WINNER
from searchspace.study.study import StudyReader
from searchspace.study.study_snapshot import read_study
from searchspace.study.trial_attributes import RecordedReport, is_refused, read_config, read_recorded_reports
from trainables.config import TrialConfig
from trainables.data.store.data_summary import DataSummary
from trainables.export.benchmark.architecture_cost import ArchitectureCost
from trainables.export.exported_files import ExportRecord, read_export_record
from trainables.export.robustness import Robustness, read_robustness
from trainables.metrics.class_metrics import TestMetrics
from trainables.metrics.predictions import PREDICTIONS, ImageDetails, read_test_image_info
from trainables.storage.files import is_file, read_record

"""Has the data, and with them the classes."""


@dataclass(frozen=True)
class Material:
    """One search, finished or not."""

    folder: Path
    """Of the search."""
    spec: SearchSpec
    """What was asked for."""
    record: dict[str, Any]
    """What is in `search.json`."""
    study: StudyReader
    """The record of truth."""
    beside: bool = True
    """Whether the report lies in the search's folder, and may link to files there."""

    @cached_property
    def trials(self) -> list[FrozenTrial]:
        """The search's trials, in the order of their numbers, without configurations that were refused."""
        return [trial for trial in self.study.get_trials(deepcopy=False) if not is_refused(trial)]

    @cached_property
    def rows(self) -> list[Row]:
        """The leaderboard."""
        return board_rows(self.study)

    @cached_property
    def told(self) -> dict[int, list[RecordedReport]]:
        """Reports of each trial, in the order of their epochs."""
        return {trial.number: read_recorded_reports(trial) for trial in self.trials}

    @cached_property
    def finalists(self) -> tuple[Finalist, ...]:
        """The winner first; none before the finals."""
        return read_finalists(self.study)

    @property
    def rungs(self) -> tuple[int, ...]:
        """Epochs at which trials were compared; none without early stopping."""
        spec = self.spec
        if spec.scheduler == "none":
            return ()
        return rungs(spec.grace_epochs, spec.reduction_factor, spec.max_epochs)

    @cached_property
    def data(self) -> DataSummary:
        """The data set."""
        return read_data(self.folder, self.record)

    @property
    def winner(self) -> Path:
        """Folder of the winner, whether there is one or not."""
        return self.folder / WINNER

    @cached_property
    def configs(self) -> dict[int, TrialConfig]:
        """The winner's configuration by its trial's number; an ensemble has one a member."""
        members = self.finalists[0].members if self.finalists else ()
        trials = {trial.number: trial for trial in self.trials}
        return {number: read_config(trials[number]) for number in members}

    @cached_property
    def metrics(self) -> TestMetrics | None:
        """Test metrics; None before the test."""
        file = self.winner / METRICS_FILE
        found = read_record(file, TestMetrics) if is_file(file) else None
        if found:
            check_classes({self.folder / SEARCH_RECORD: len(self.data.classes), file: len(found.classes)})
        return found

    def tested(self) -> TestMetrics:
        """Test metrics; raises `MissingError` before the test."""
        if self.metrics is None:
            raise MissingError("There is no tested winner yet.")
        return self.metrics

    @cached_property
    def predictions(self) -> TestPredictions:
        """Of the test split; raises `MissingError` where they were not kept."""
        self.tested()
        found = load_predictions(self.winner)
        if found is None:
            raise MissingError(f"What the winner said of each test image (winner/{PREDICTIONS}) is not here.")
        classes = {self.folder / SEARCH_RECORD: len(self.data.classes), self.winner / PREDICTIONS: found.classes}
        check_classes(classes)
        return found

    @cached_property
    def image_facts(self) -> ImageDetails | None:
        """What is known of the test images besides their class; None where that was not kept."""
        return read_test_image_info(self.winner) if is_file(self.winner / PREDICTIONS) else None

    @cached_property
    def shipment(self) -> ExportRecord | None:
        """The exported formats; None before the export."""
        return read_export_record(self.winner)

    @cached_property
    def robustness(self) -> Robustness | None:
        """The winner's accuracy on worse images; None where that was not measured."""
        return read_robustness(self.winner)

    @property
    def cost(self) -> ArchitectureCost | None:
        """What the exported model costs; None before the export."""
        return self.shipment.cost if self.shipment else None


def gather(folder: Path, study: StudyReader | None = None) -> Material:
    """Everything on the search in `folder`; raises `UserError` where there is none."""
    spec = load_spec(folder)
    return Material(folder, spec, load_facts(folder), study or read_study(spec, folder))
