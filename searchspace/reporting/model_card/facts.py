"""What a card is made from: the search's record and study, and the files of one folder, each read once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from searchspace.finals.baseline import Baseline, read_baseline
from searchspace.finals.finalist import Finalist, read_finalists
from searchspace.finals.reliability import TestPredictions, load_predictions
from searchspace.finals.validation_images import read_validation
from searchspace.finals.winner import METRICS_FILE
from searchspace.reporting.damaged_results import check_classes, reading_search
from searchspace.spec import SearchSpec, load_facts, load_spec
from searchspace.study.study import StudyReader
from searchspace.study.study_snapshot import read_study
from searchspace.study.trial_attributes import is_refused
from trainables.data.finals_validation import FinalsValidation
from trainables.data.store.data_summary import DataSummary
from trainables.export.exported_files import ExportRecord, read_export_record
from trainables.export.model_info import MODEL_INFO, MODEL_INFO_ADAPTER, AnyModelInfo
from trainables.export.robustness import Robustness, read_robustness
from trainables.metrics.class_metrics import TestMetrics
from trainables.metrics.metric_registry import MetricName
from trainables.metrics.predictions import PREDICTIONS
from trainables.storage.files import read_record


@dataclass(frozen=True)
class Facts:
    """One classifier, tested, of one search."""

    folder: Path
    """Of the classifier, within the search's."""
    spec: SearchSpec
    """What was asked for."""
    record: Mapping[str, Any]
    """What is in `search.json`."""
    trials: Sequence[FrozenTrial]
    """All that were trained."""
    finalists: tuple[Finalist, ...]
    """The winner first."""
    validation: FinalsValidation
    """What they were scored on."""
    card: AnyModelInfo
    """What the classifier is; an ensemble's has several members."""
    metrics: TestMetrics
    """Of its only test."""
    baseline: Baseline | None = None
    """What the winner was compared with; None for searches of earlier versions."""

    @property
    def metric(self) -> MetricName:
        """The search's metric."""
        return self.spec.metric

    @property
    def data(self) -> DataSummary:
        """What it was trained on."""
        return self.card.data

    @property
    def winner(self) -> Finalist:
        """The first of the finalists."""
        return self.finalists[0]

    @property
    def models(self) -> str:
        """Names of its members' architectures, each once."""
        return ", ".join(dict.fromkeys(member.config.model for member in self.card.members))

    @cached_property
    def predictions(self) -> TestPredictions | None:
        """What it says of each test image; None where that was not kept."""
        found = load_predictions(self.folder)
        if found:
            check_classes(
                {self.folder / METRICS_FILE: len(self.metrics.classes), self.folder / PREDICTIONS: found.classes}
            )
        return found

    @cached_property
    def shipment(self) -> ExportRecord | None:
        """Its files; None before the export."""
        return read_export_record(self.folder)

    @cached_property
    def robustness(self) -> Robustness | None:
        """Its accuracy on worse images; None where that was not measured."""
        return read_robustness(self.folder)


def gather(folder: Path, study: StudyReader | None = None) -> Facts:
    """Everything on the tested classifier in `folder`; raises `UserError` or OSError where there is none."""
    with reading_search(folder.parent):
        return _gather(folder, study)


def _gather(folder: Path, study: StudyReader | None) -> Facts:
    spec = load_spec(folder.parent)
    study = study or read_study(spec, folder.parent)
    card, metrics = (
        read_record(folder / MODEL_INFO, MODEL_INFO_ADAPTER),
        read_record(folder / METRICS_FILE, TestMetrics),
    )
    check_classes({folder / MODEL_INFO: len(card.data.classes), folder / METRICS_FILE: len(metrics.classes)})
    return Facts(
        folder=folder, spec=spec, record=load_facts(folder.parent),
        trials=[trial for trial in study.get_trials(deepcopy=False) if not is_refused(trial)],
        finalists=read_finalists(study), validation=read_validation(study) or FinalsValidation(),
        card=card, metrics=metrics, baseline=read_baseline(study),
    )  # fmt: skip
