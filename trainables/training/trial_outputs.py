"""Outputs of a trained trial in its folder: weights, predictions, a preview of its augmentation."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from trainables.augmentation.augmentation_registry import pixel_augmentations
from trainables.augmentation.preview import COLUMNS, PREVIEW, ROWS, arrange_images, augmented_versions
from trainables.config import Assignment
from trainables.data.loading.square_maker import training_images
from trainables.data.store.store import SCORED_ON
from trainables.data.thumbnails import write_thumbnails
from trainables.export.model_info import MODEL_INFO, ModelInfo, describe_model
from trainables.export.safetensors_file import write_safetensors
from trainables.export.weights import WEIGHTS, read_classifier
from trainables.metrics.predictions import (
    PREDICTIONS,
    PREDICTIONS_TABLE,
    TEST_PERMIT,
    VALIDATION_PREDICTIONS,
    measure_brightness,
    write_table,
)
from trainables.models.weights_licence import licence_of
from trainables.storage.arrays import write_arrays
from trainables.storage.files import replacing, write_file
from trainables.training.batches import random_parts
from trainables.training.evaluation import predict, probabilities
from trainables.training.start_training import Training
from trainables.workers.worker_context import WorkerContext

MAX_TRIAL_BYTES = 4_000_000
"""Bytes of the validation predictions that a trial of the search keeps, at most."""


def write_weights(folder: Path, assignment: Assignment, run: Training) -> None:
    """Write the weights that evaluation uses, and their record, into `folder`."""
    info = ModelInfo(
        config=assignment.config, seed=assignment.seed, epochs=assignment.max_epochs,
        data=run.context.store.summary, input=run.model.preprocess.spec,
        licence=licence_of(assignment.config.model, run.context.store.summary.name),
    )  # fmt: skip
    write_safetensors(folder / WEIGHTS, run.averaged_state(), describe_model(info))
    write_file(folder / MODEL_INFO, info.model_dump_json(indent=1).encode())


def write_preview(folder: Path, run: Training) -> None:
    """Draw training images as augmentation shows them; no file where no augmentation changes pixels."""
    config, labels = run.assignment.config, run.context.store.labels[run.rows]
    if not pixel_augmentations(config) and config.crop_scale == 1.0:
        return
    _, first = np.unique(labels, return_index=True)
    store, preprocess, rows = run.context.store, run.model.preprocess, run.rows[first[:ROWS]]
    images = training_images(store, rows, preprocess.spec.square_fit)
    parts = random_parts(config, store, preprocess.spec)
    make = partial(parts.make, np.repeat(rows, COLUMNS - 1)) if parts else None
    shown = augmented_versions(images, config, preprocess, run.assignment.seed, make)
    with replacing(folder / PREVIEW) as file:
        arrange_images(shown).save(file, "PNG", optimize=True)


def write_predictions(folder: Path, place: WorkerContext, weighted: bool = False) -> None:
    """Evaluate the classifier in `folder` on the test split, which the permit beside it opens.

    With `weighted`, the images' weights are written, too, so that test metrics are weighted.
    """
    classifier, _ = read_classifier(folder, place.group.device)
    images, labels = place.store.open_test_stored(folder / TEST_PERMIT)
    origins = place.store.open_test_origins(folder / TEST_PERMIT)
    found = probabilities(classifier, images, place.group.device)
    each = [images.image(row) for row in range(len(images))]
    brightness, contrast = np.concatenate([measure_brightness(image[None]) for image in each], axis=1)
    arrays: dict[str, Any] = {
        "probabilities": found, "labels": labels, "paths": np.array(origins.paths),
        "brightness": brightness, "contrast": contrast,
    }  # fmt: skip
    if origins.sizes:
        arrays["sizes"] = np.array(origins.sizes, np.int64)
    if weighted and (weights := place.store.open_test_columns(folder / TEST_PERMIT).weights) is not None:
        arrays["weights"] = weights
    write_arrays(folder / PREDICTIONS, arrays)
    write_thumbnails(folder, each, found, labels)
    write_table(folder / PREDICTIONS_TABLE, origins.paths, labels, found, place.store.summary.classes)


def write_validation_predictions(folder: Path, run: Training) -> None:
    """Write the validation predictions of a final, float32, or a trial, float16, into `folder`; by this worker alone.

    Those of a trial are for ensembles, and left out where they are more than `MAX_TRIAL_BYTES`.
    """
    kept = run.assignment.kind == "search"
    rows = run.context.store.rows(SCORED_ON[run.assignment.kind], run.assignment.fold)
    if kept and len(rows) * len(run.context.store.summary.classes) * np.float16().itemsize > MAX_TRIAL_BYTES:
        return
    found = predict(run.averaged, run.evaluation_inputs(), rows)
    if kept:
        found = found.astype(np.float16)
    arrays: dict[str, Any] = {"probabilities": found, "labels": run.context.store.labels[rows], "rows": rows}
    if run.assignment.weighted and (weights := run.context.store.weights) is not None:
        arrays["weights"] = weights[rows]
    write_arrays(folder / VALIDATION_PREDICTIONS, arrays)
