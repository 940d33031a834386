"""The results of a search, read once: tables, report and model card are all made from a `SearchResults`.

A file is read when its property is first asked for, and not again. `dataclasses.replace(results, study=...)` gives
results that read everything anew.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from searchspace.finals.baseline import Baseline, read_baseline
from searchspace.finals.choose_student import Student, read_student
from searchspace.finals.finalist import Finalist, read_finalists
from searchspace.finals.gain import Gain, make_gain
from searchspace.finals.race.race_record import RaceRecord, read_race
from searchspace.finals.reliability import TestPredictions, load_predictions
from searchspace.finals.validation_images import read_validation
from searchspace.finals.winner import METRICS_FILE
from searchspace.preparation.record import read_data
from searchspace.spec import SearchSpec, load_facts, load_spec
from searchspace.stopping.rules import pausing_epochs
from searchspace.storage.search_folder import STUDENT, WINNER
from searchspace.study.early_end import EarlyEnd, read_early_end
from searchspace.study.refusals import is_refused
from searchspace.study.study import StudyReader
from searchspace.study.study_snapshot import read_study
from searchspace.study.trial_attributes import RecordedReport, read_config, read_recorded_reports
from trainables.common.errors import DamagedError
from trainables.config import TrialConfig
from trainables.data.finals_validation import FinalsValidation
from trainables.data.store.data_summary import DataSummary
from trainables.export.benchmark.architecture_cost import ArchitectureCost
from trainables.export.exported_files import ExportRecord, read_export_record
from trainables.export.model_info import MODEL_INFO, MODEL_INFO_ADAPTER, AnyModelInfo
from trainables.export.robustness import Robustness, read_robustness
from trainables.metrics.class_metrics import TestMetrics
from trainables.metrics.predictions import PREDICTIONS, ImageDetails, read_test_image_info
from trainables.storage.files import is_file, read_record

READ_ERRORS = (ValueError, TypeError, LookupError, ArithmeticError, MemoryError)
"""What values that make no sense lead to; any other exception is a defect, and keeps its traceback."""
MAX_MESSAGE = 200
"""Characters of an error that are quoted."""


@dataclass(frozen=True)
class ClassifierResults:
    """The files of one classifier of a search: of its winner, or of the winner's student."""

    search: "SearchResults"
    """The search that it is of."""
    folder: Path
    """Its folder within the search's, which need not exist."""

    @property
    def is_trained(self) -> bool:
        """Whether its weights and `model.json` were written."""
        return is_file(self.folder / MODEL_INFO)

    @property
    def is_tested(self) -> bool:
        """Whether its test metrics were written."""
        return is_file(self.folder / METRICS_FILE)

    @cached_property
    def info(self) -> AnyModelInfo:
        """What the classifier is; an ensemble has several members. Raises OSError unless `is_trained`."""
        return read_record(self.folder / MODEL_INFO, MODEL_INFO_ADAPTER)

    @property
    def data(self) -> DataSummary:
        """The data it was trained on; raises OSError unless `is_trained`."""
        return self.info.data

    @property
    def architectures(self) -> str:
        """Names of its members' architectures, each once."""
        return ", ".join(dict.fromkeys(member.config.model for member in self.info.members))

    @cached_property
    def metrics(self) -> TestMetrics:
        """Metrics of its only test; raises OSError unless `is_tested`."""
        return read_record(self.folder / METRICS_FILE, TestMetrics)

    @cached_property
    def predictions(self) -> TestPredictions | None:
        """Its predictions for the test images; None where they were not kept."""
        found = load_predictions(self.folder)
        if found:
            check_classes(
                {self.folder / METRICS_FILE: len(self.metrics.classes), self.folder / PREDICTIONS: found.classes}
            )
        return found

    @cached_property
    def image_facts(self) -> ImageDetails | None:
        """Path, size and light of each test image; None where they were not kept."""
        return read_test_image_info(self.folder) if is_file(self.folder / PREDICTIONS) else None

    @cached_property
    def shipment(self) -> ExportRecord | None:
        """Its exported files; None before the export."""
        return read_export_record(self.folder)

    @property
    def cost(self) -> ArchitectureCost | None:
        """Cost of its float32 ONNX file; None before the export."""
        return self.shipment.cost if self.shipment else None

    @cached_property
    def robustness(self) -> Robustness | None:
        """Its accuracy on corrupted images; None where that was not measured."""
        return read_robustness(self.folder)


@dataclass(frozen=True)
class SearchResults:
    """The results of one search, finished or not."""

    folder: Path
    """The search's folder."""
    spec: SearchSpec
    """Its specification."""
    study: StudyReader
    """Its study: the record of truth."""

    @cached_property
    def record(self) -> dict[str, Any]:
        """Everything in `search.json`."""
        return load_facts(self.folder)

    @cached_property
    def data(self) -> DataSummary:
        """The data set; raises `DamagedError` where the record has none."""
        return read_data(self.folder, self.record)

    @cached_property
    def trials(self) -> list[FrozenTrial]:
        """Trials by number, without configurations that were refused."""
        return [trial for trial in self.study.get_trials(deepcopy=False) if not is_refused(trial)]

    @cached_property
    def reports(self) -> dict[int, list[RecordedReport]]:
        """Reports of each trial by its number, in the order of epochs."""
        return {trial.number: read_recorded_reports(trial) for trial in self.trials}

    @property
    def rungs(self) -> tuple[int, ...]:
        """Epochs at which trials are compared; none without early stopping."""
        spec = self.spec
        return pausing_epochs(spec.scheduler, spec.grace_epochs, spec.reduction_factor, spec.max_epochs)

    @cached_property
    def finalists(self) -> tuple[Finalist, ...]:
        """Finalists, the winner first; none before the finals."""
        return read_finalists(self.study)

    @cached_property
    def validation(self) -> FinalsValidation | None:
        """The images that finalists were scored on; None before the finals."""
        return read_validation(self.study)

    @cached_property
    def race(self) -> RaceRecord | None:
        """What the finals saved; None before them, and of searches of earlier versions."""
        return read_race(self.study)

    @cached_property
    def early_end(self) -> EarlyEnd | None:
        """How the search ended before its trials and its time were used up; None where it did not."""
        return read_early_end(self.study)

    @cached_property
    def baseline(self) -> Baseline | None:
        """What the winner was compared with; None before the finals, and of searches of earlier versions."""
        return read_baseline(self.study)

    @property
    def gain(self) -> Gain | None:
        """How much the search improved on its default configuration; None where `baseline` is."""
        return make_gain(self.spec.metric, self.finalists, self.baseline)

    @cached_property
    def winner_configs(self) -> dict[int, TrialConfig]:
        """The winner's configuration by the number of its trial; an ensemble has one for each member."""
        members = self.finalists[0].members if self.finalists else ()
        trials = {trial.number: trial for trial in self.trials}
        return {number: read_config(trials[number]) for number in members}

    @cached_property
    def winner(self) -> ClassifierResults:
        """The winner's files, whether there is a winner or not."""
        return ClassifierResults(self, self.folder / WINNER)

    @cached_property
    def student(self) -> ClassifierResults:
        """The files of the winner's student, whether there is one or not."""
        return ClassifierResults(self, self.folder / STUDENT)

    @cached_property
    def student_record(self) -> Student | None:
        """How the student was chosen and taught; None where there is none."""
        return read_student(self.folder)


def read_results(folder: Path, study: StudyReader | None = None) -> SearchResults:
    """Results of the search in `folder`, and its `study` if that is open already.

    Raises `UserError` where there is no search.
    """
    spec = load_spec(folder)
    return SearchResults(folder, spec, study or read_study(spec, folder))


def read_classifier_results(folder: Path, study: StudyReader | None = None) -> ClassifierResults:
    """The tested classifier in `folder`, within its search's; raises `UserError` or OSError where there is none."""
    with reading_search(folder.parent):
        found = ClassifierResults(read_results(folder.parent, study), folder)
        check_classes({folder / MODEL_INFO: len(found.data.classes), folder / METRICS_FILE: len(found.metrics.classes)})
        return found


@contextmanager
def reading_search(folder: Path) -> Iterator[None]:
    """Raise `DamagedError` of the search in `folder` for each of `READ_ERRORS` in the block.

    Its files may each have the right form, and still make no sense together.
    """
    try:
        yield
    except READ_ERRORS as error:
        first = (str(error).splitlines() or [""])[0][:MAX_MESSAGE]
        said = f"{type(error).__name__}: {first}" if first else type(error).__name__
        raise DamagedError(folder, f"cannot be read as a search ({said})") from error


def check_classes(counts: Mapping[Path, int]) -> None:
    """Raise `DamagedError` where two files of a search differ in their number of classes."""
    (first, expected), *rest = counts.items()
    for file, count in rest:
        if count != expected:
            raise DamagedError(file, f"is of {count:,} classes, and {first} of {expected:,}")
