"""The evaluation of a trained classifier on labelled images that a user gives; the locked test split stays closed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from searchspace.prediction.image_inputs import iterate_stored
from searchspace.prediction.labelled_inputs import LabelledInputs
from searchspace.reporting.tables.data_frames import class_frame
from trainables.common.errors import UserError
from trainables.data.store.data_summary import DataSummary
from trainables.metrics.class_metrics import TestMetrics, measure_test_metrics
from trainables.metrics.metric_registry import METRICS, is_own_name

if TYPE_CHECKING:
    import pandas as pd

    from trainables.export.predictor import Predictor


@dataclass(frozen=True)
class Evaluation:
    """How a classifier does on labelled images."""

    metrics: TestMetrics
    """All metrics of this package, with 95 % intervals; the code of a metric of your own is not run."""
    split: str
    """Which split of the data it is of; empty where the data have no splits."""
    seen: int | None
    """Images that the classifier was trained on, pixel by pixel the same; None where its training images are not on
    this machine, or too many to compare with."""

    @property
    def accuracy(self) -> float:
        """Share of images whose likeliest class is right."""
        return self.metrics.accuracy

    @property
    def per_class(self) -> "pd.DataFrame":
        """One row a class: images, precision, recall and F1, and their 95 % intervals."""
        return class_frame(self.metrics)

    def _repr_html_(self) -> str:
        """What a notebook shows: the accuracy, and the classes that are found worst."""
        from searchspace.reporting.notebook.notebook_views import view_metrics

        return view_metrics(f"Evaluation{f' on {self.split}' if self.split else ''}", self.metrics).to_html()

    def __repr__(self) -> str:
        """Accuracy with its interval, and what it is of."""
        found, of = self.metrics, f" of {self.split}" if self.split else ""
        ends = f"95 % from {found.accuracy_low:.2%} to {found.accuracy_high:.2%}"
        return f"<accuracy {found.accuracy:.2%} ({ends}) on {found.count:,} images{of}>"


def evaluate_inputs(predictor: "Predictor", inputs: LabelledInputs, trained_on: DataSummary) -> Evaluation:
    """Evaluate a classifier that was trained on the data `trained_on`; raises `UserError` for a damaged image."""
    from trainables.data.store.trained_images import digest_pixels, digest_trained_images

    known, seen, found = digest_trained_images(trained_on), 0, []
    for stored in iterate_stored(predictor, inputs.images):
        seen += sum(digest_pixels(image) in known for image in stored) if known is not None else 0
        found.append(predictor.classify([predictor.fit(image) for image in stored]))
    if not found:
        raise UserError("data: holds no images; give some of each class")
    packaged = [name for name in METRICS if not is_own_name(name)]
    metrics = measure_test_metrics(np.concatenate(found), inputs.labels, predictor.classes, inputs.weights, packaged)
    return Evaluation(metrics, inputs.split, None if known is None else seen)
