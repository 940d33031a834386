"""Options of `searchspace.search`: those of `searchspace run`, by the same names with underscores.

Written by tests/helpers/search_options_file.py from the specification of a search; a test holds both equal.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypedDict

Path = str | os.PathLike[str]
"""A file, a folder, or a URL."""
Function = Callable[..., Any]
"""A function, or class, of your own."""


class SearchOptions(TypedDict, total=False):
    """Options of a search. One that is left out, or None, has its default, which may follow from others."""

    data_source: str | Function | None
    """Your own reader of `data`, FILE.py:NAME."""
    on_bad_image: Literal["fail", "skip"] | None
    """Unusable images: an error, or left out, listed. Default: 'fail'."""
    image_column: str | None
    """Column of images or their paths. Default: the one that can be."""
    label_column: str | None
    """Column of labels. Default: the one that can be."""
    split_column: str | None
    """Column with train, val or test."""
    group_column: str | None
    """Column with groups, such as patients; each stays in one split."""
    weight_column: str | None
    """Column with the weight of each image."""
    root: Path | None
    """Folder that a table's paths start from. Default: its own."""
    group_by: str | None
    """Finds each image's group in its path, such as a person."""
    follow_links: bool | None
    """Let links lead out of the data folder."""
    keep_copies: bool | None
    """Train on copies of held-out images, too."""
    max_pixels: int | None
    """Most pixels of a usable image. Default: 100000000."""
    store_side: int | None
    """Most of a stored shorter side; 0: what suits. Default: 0."""
    models: Sequence[str | Function] | None
    """Any of: convnet, resnet, mlp, timm names, torchvision/NAME, your FILE.py:NAME. Empty: what suits."""
    space: str | Function | None
    """Your own search space, FILE.py:FUNCTION."""
    set: Mapping[str, bool | int | float | str] | None
    """Pin a hyperparameter, name=value; repeatable."""
    metric: str | Function | None
    """Score to maximise: accuracy, balanced_accuracy, f1_macro, mcc, log_loss (negated). Default: 'accuracy'."""
    augmentations: Sequence[str | Function] | None
    """Your own augmentations, FILE.py:FUNCTION, beside the built-in ones."""
    weighted_metrics: bool | None
    """Weight scores by `weight_column`, too, not the loss alone."""
    objectives: Sequence[str] | None
    """accuracy (or `metric`), or accuracy,latency for their trade-off."""
    seed: int | None
    """Seed of everything random. Default: 0."""
    sampler: Literal["auto", "tpe", "gp", "cmaes", "random"] | None
    """auto (what suits), tpe, gp, cmaes, random. Default: 'auto'."""
    reproducible: bool | None
    """Same configurations at any timing; samples by first rungs."""
    warm_start: Sequence[str] | None
    """Earlier searches whose best trials are tried first."""
    budget: str | float | None
    """All the command may take: 10m, $20, 8gpuh."""
    preset: Literal["fast", "balanced", "best"] | None
    """Size of search and proof. Default: 'balanced'."""
    trials: int | None
    """Trials; no limit in a `budget`. Default: 64."""
    max_epochs: int | None
    """Epochs of a full trial. Default: 18."""
    grace_epochs: int | None
    """First rung: no stop before it. Default: 2."""
    reduction_factor: int | None
    """One in so many passes each rung. Default: 3."""
    scheduler: Literal["asha", "pasha", "median", "none"] | None
    """Early stopping. Default: 'asha'."""
    budget_unit: Literal["epochs", "seconds"] | None
    """Unit in which trials are compared, and which the sampler saves. Default: 'epochs'."""
    time_budget: str | float | None
    """Longest search: 90s, 30m, 2h; without finals. Default: 0.0."""
    patience: int | None
    """Trials without gain until it ends. Default: 0."""
    finalists: int | None
    """Best trials, trained again from fresh seeds beside trial 0. Default: 3."""
    folds: int | None
    """Folds of the finalists' cross-validation; 0: none. Default: 0."""
    audit: float | None
    """Share of stopped trials resumed, to measure its cost. Default: 0.0."""
    max_latency_ms: float | None
    """Longest time for one image, in ms, on one thread of this CPU."""
    max_params: int | None
    """Most parameters."""
    max_size_mb: float | None
    """Largest ONNX file, in MB (10^6 bytes)."""
    max_memory_mb: float | None
    """Most MB (10^6 bytes) that a process running it grows by."""
    distil: bool | None
    """Train a student on the winner's predictions; it keeps the limits."""
    distil_epochs: int | None
    """Epochs of the student; 0: a trial's. Default: 0."""
    formats: Sequence[str] | None
    """pt2, pt2-half, onnx, onnx-int8. Empty: all that can be made here."""
    max_drop: float | None
    """Most points of test accuracy that a format loses. Default: 0.3."""
    final_seeds: int | None
    """Fresh seeds of each finalist, or repetitions of `folds`. Default: 3."""
    ensemble: bool | None
    """Add an ensemble even if it gains little; slow as all in it."""
    workers_per_trial: int | None
    """DDP workers of one trial. Default: 1."""
    cpus_per_worker: float | None
    """Cores, and threads, of each worker. Default: 1.0."""
    gpus_per_worker: float | None
    """GPUs of each worker; a fraction packs trials. Default: 1 where there are any."""
    precision: Literal["auto", "bf16", "fp32"] | None
    """auto: bf16 where it is native. Default: 'auto'."""
    memory_gb: float | None
    """Image memory of each worker, in GB (10^9 bytes); the rest is streamed. 0: auto. Default: 0.0."""
    max_concurrent: int | None
    """Trials at a time; 0: as many as fit. Default: 0."""
    address: str | None
    """Ray cluster, such as auto; empty starts one here."""
    name: str | None
    """Its folder, study and MLflow run. Default: data and time."""
    results: Path | None
    """Folder of all searches; or s3://, gs:// or file://. Default: 'results'."""
    keep_gb: float | None
    """Most GB (10^9 bytes) of stopped trials' checkpoints. Default: 10.0."""
    storage: str | None
    """Optuna URL; *** is from $SEARCHSPACE_STORAGE. Default: a journal file."""
    price_per_hour: float | None
    """The cluster's price an hour, for costs and `budget` $20. Default: 0.0."""


class ResumeOptions(TypedDict, total=False):
    """Options that a search may be resumed with; all others are what the search is."""

    data: Any
    """digits, fashion-mnist, cifar10, cifar100, or the path or URL of a .npz file of arrays, a save_to_disk folder, a
    parquet file or folder with images, a table of image files and labels or a folder of images in class folders.
    Default: 'digits'."""
    root: Path | None
    """Folder that a table's paths start from. Default: its own."""
    space: str | Function | None
    """Your own search space, FILE.py:FUNCTION."""
    budget: str | float | None
    """All the command may take: 10m, $20, 8gpuh."""
    trials: int | None
    """Trials; no limit in a `budget`. Default: 64."""
    time_budget: str | float | None
    """Longest search: 90s, 30m, 2h; without finals. Default: 0.0."""
    patience: int | None
    """Trials without gain until it ends. Default: 0."""
    memory_gb: float | None
    """Image memory of each worker, in GB (10^9 bytes); the rest is streamed. 0: auto. Default: 0.0."""
    max_concurrent: int | None
    """Trials at a time; 0: as many as fit. Default: 0."""
    address: str | None
    """Ray cluster, such as auto; empty starts one here."""
    keep_gb: float | None
    """Most GB (10^9 bytes) of stopped trials' checkpoints. Default: 10.0."""
    storage: str | None
    """Optuna URL; *** is from $SEARCHSPACE_STORAGE. Default: a journal file."""
    price_per_hour: float | None
    """The cluster's price an hour, for costs and `budget` $20. Default: 0.0."""
