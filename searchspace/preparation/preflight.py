"""Checks that are made before any worker starts."""

import importlib.util
import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution

from searchspace.cluster.placement import Node, Room
from searchspace.own_code.own_hyperparameters import own_defaults, with_own_apart
from searchspace.sampling.space_trial import Range
from searchspace.spaces import DrawError, DrawErrorCounter, Space, Task, draw_config, load_space
from searchspace.spec import SearchSpec
from searchspace.storage.folder_contents import (
    DRAFT_FILE,
    FolderContents,
    classify_contents,
    foreign_names,
    names_at,
    names_in,
)
from trainables.common.errors import UserError
from trainables.config import TrialConfig
from trainables.custom.custom_code import is_custom
from trainables.data.store.data_summary import DataSummary
from trainables.metrics.metric_registry import MetricName
from trainables.storage.object_store.remote import Remote, format_storage_error, open_remote
from trainables.storage.ownership import check_owned

logger = logging.getLogger(__name__)

Distributions = dict[str, BaseDistribution]
CHECKED_DRAWS = 8
"""Draws of a space that are looked at before a search."""
DEFAULT_MODELS = ("convnet", "tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2")
"""Searched everywhere: a network from scratch, and the backbones whose weights need no network to get."""
GPU_MODELS = ("resnet", "resnet18", "vgg11_bn", "efficientnet_b0", "convnext_atto", "mobilenetv3_large_100")
"""Searched in addition where workers have a GPU; on two cores one of them would eat the search. They take any size."""


def check_name(spec: SearchSpec) -> None:
    """Raise `UserError` if there is a search of this name already, or nothing can be written where it would be.

    Files that no search leaves are in the way, too; what is left of a command that ended before its search was begun
    is not.
    """
    place = spec.home.url or str(spec.folder)
    if spec.home.url:
        open_remote("--results", spec.results)
        names = names_at(spec.home.url, spec.results)
    else:
        names = names_in(spec.folder)
        if names:
            check_owned(spec.folder)  # a study that is there is looked into
        _check_writable(spec.folder)
    check_name_free(spec.name, place, names)
    if spec.home.url:
        check_url_writable(spec.home.url, spec.results)


def check_name_free(name: str, place: str, names: Sequence[str]) -> None:
    """Raise `UserError` where `names`, of what lies at `place`, are more than remains of a search that never began."""
    found = classify_contents(names)
    if found == FolderContents.SEARCH:
        raise UserError(f"--name {name!r}: {place!r} exists already; choose another name, or --resume it")
    if found == FolderContents.OTHERS:
        few = ", ".join(foreign_names(names)[:3])
        raise UserError(f"--name {name!r}: {place!r} exists already, and is no search's ({few}); choose another name")


def check_url_writable(url: str, given: str) -> None:
    """Raise `UserError` where nothing can be written at a search's URL; `given` is what `--results` said."""
    remote, name = Remote.open(url), f"{DRAFT_FILE}.partial"
    try:
        remote.write(name, b"")
        remote.delete(name)
    except OSError as error:
        raise UserError(f"--results {given!r}: nothing can be written there ({format_storage_error(error)})") from error


def _check_writable(folder: Path) -> None:
    """Raise `UserError` where `folder` cannot be made, or written: nothing can be in the nearest one that there is."""
    above = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not above.is_dir():
        if above == folder:
            return  # an existing file is reported by `check_name`, with any content
        raise UserError(f"--results {str(folder.parent)!r}: {str(above)!r} is a file; give a folder")
    try:
        tempfile.TemporaryFile(dir=above).close()
    except OSError as error:
        raise UserError(
            f"--results {str(folder.parent)!r}: nothing can be written in {str(above)!r} ({error.strerror}); "
            "choose another folder"
        ) from error


def choose_models(spec: SearchSpec, gpu: bool) -> tuple[str, ...]:
    """Models that can be searched: those asked for, or the default ones whose weights are to be had.

    A default backbone without weights is dropped with a line that says so; raises `UserError` for one asked for.
    """
    from trainables.models.model_registry import check_model, missing_weights

    asked = spec.models or ((str(spec.pins["model"]),) if "model" in spec.pins else ())
    for name in asked:
        check_model(name)
    chosen = []
    for name in asked or DEFAULT_MODELS + (GPU_MODELS if gpu else ()):
        missing = missing_weights(name)
        if missing and asked:
            raise UserError(
                f"--models {name!r}: its pretrained weights are neither cached nor downloadable ({missing})"
            )
        if missing:
            logger.info(f"without {name}: its pretrained weights are neither cached nor downloadable ({missing})")
        else:
            chosen.append(name)
    return tuple(chosen)


def make_task(data: DataSummary, models: tuple[str, ...], gpu: bool, metric: MetricName = "accuracy") -> Task:
    """The task that a space sees."""
    from trainables.models.model_registry import is_pretrained

    return Task(data=data, models=models, pretrained=frozenset(filter(is_pretrained, models)), gpu=gpu, metric=metric)


def check_space(spec: SearchSpec, task: Task) -> tuple[Space, list[Distributions]]:
    """Load the space and draw from it a few times, for the parameters it asked for.

    A draw that raises is left out. Raises `UserError` where too many in a row do, or one of the others cannot be
    searched.
    """
    space, patience, raised = load_space(spec.space), DrawErrorCounter(), 0
    drawn: list[Distributions] = []
    given: list[tuple[Mapping[str, Any], TrialConfig]] = []
    known: dict[str, Range] = {}
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=spec.seed))
    while len(drawn) < CHECKED_DRAWS:
        trial = study.ask()
        try:
            config = draw_config(space, trial, task, spec.pins, known)
        except DrawError as error:
            raised += 1
            if not patience.add(error):
                continue
            if drawn:
                break  # enough to know what it asks for; the search has its own patience
            raise UserError(f"--space {spec.space!r}: each of {raised} draws raised; the last: {error}") from error
        except UserError as error:
            raise UserError(f"--space {spec.space or 'default'!r}: {error}") from error
        if spec.space and config.model not in task.models:
            raise UserError(f"--space {spec.space!r}: suggests model {config.model!r}; name it in --models as well")
        check_trainable(config, spec.workers_per_trial, task.data)
        drawn.append(trial.distributions)
        given.append((trial.params, config))
        patience = DrawErrorCounter()
    _check_own_networks(spec, task)
    for name in _unused(given):
        raise UserError(
            f"--space {spec.space!r}: suggests {name!r} and does not return it, so that every trial would have {name} "
            f"{given[0][1].hyperparameters.get(name)}; return it, or suggest it by another name"
        )
    return space, drawn


def _check_own_networks(spec: SearchSpec, task: Task) -> None:
    """Build each network of the user's own once; raises `UserError` for one that cannot be trained."""
    for model in task.models:
        if not is_custom(model):
            continue
        from trainables.custom.own_network import check_own_network
        from trainables.models.build_model import scratch_input

        pins = {name: value for name, value in spec.pins.items() if name != "model"}
        config = TrialConfig(**with_own_apart({"model": model} | pins))
        check_own_network(config, task.data, scratch_input(config, task.data), spec.workers_per_trial)


def _unused(draws: Sequence[tuple[Mapping[str, Any], TrialConfig]]) -> list[str]:
    """Hyperparameters that draws suggest, and that have their defaults in all of those all the same."""
    found = []
    defaults = TrialConfig().hyperparameters | {
        k: v for _, config in draws for k, v in own_defaults(config.model).items()
    }
    for name, default in defaults.items():
        values = [(params, config.hyperparameters) for params, config in draws if name in params]
        pairs = [(params[name], taken[name]) for params, taken in values if name in taken]
        if any(drawn != default for drawn, _ in pairs) and all(value == default for _, value in pairs):
            found.append(name)
    return found


def check_trainable(config: TrialConfig, workers: int, data: DataSummary) -> None:
    """Raise `UserError` for a configuration that every trial would fail with.

    That is an input size that its backbone does not take, or batches of which one has no image for a worker.
    """
    from trainables.data.loading.epoch_plan import check_shares
    from trainables.models.model_registry import needs_size_check

    for count in (data.train, data.train + data.val):  # the winner trains on both
        try:
            check_shares(count, config.batch_size, workers)
        except ValueError as error:
            raise UserError(f"--workers-per-trial {workers}: {error}") from error
    if needs_size_check(config.model) and (config.input_size or config.model not in GPU_MODELS):
        from trainables.models.build_model import check_input

        check_input(config, data)


def local_resources() -> Room:
    """What a cluster started on this machine would have; without torch, where there is no NVIDIA driver."""
    gpus = 0
    if os.path.exists("/dev/nvidiactl") and importlib.util.find_spec("torch"):
        import torch

        gpus = torch.cuda.device_count()
    return Room(nodes=(Node(cpus=float(os.cpu_count() or 1), gpus=float(gpus)),))
