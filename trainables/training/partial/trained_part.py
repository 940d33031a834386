"""What a trial trains, and on what: its network on images, a head on frozen features, upper layers on activations."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trainables.config import Assignment, TrialConfig
from trainables.data.loading.input_loader import InMemoryLoader, InputLoader, make_loader
from trainables.models.classifier import Classifier, UpperNetwork
from trainables.models.freezing.trunk_cut import split_trunk
from trainables.models.preprocess import Preprocess
from trainables.training.device import evaluation_chunk
from trainables.training.evaluation import EvaluationInputs, weights_lookup
from trainables.training.features.feature_set import learns_from_features
from trainables.training.features.frozen_features import frozen_features
from trainables.training.partial.activations import LowerPart, load_views
from trainables.training.partial.cached_views import ViewRows, needed_views, scored_views, views_are_cached
from trainables.workers.worker_context import WorkerContext

FEATURES_CHUNK = 8192
"""Frozen features in one forward pass of an evaluation."""


@dataclass(frozen=True)
class TrainedPart:
    """The part of a classifier that a trial trains, and its inputs."""

    module: nn.Module
    """The part; its modules are those of the whole classifier."""
    data: InputLoader
    """Its inputs, by rows of the store: images, features or activations."""
    preprocess: Preprocess | None = None
    """What makes inputs of images; None for others, which are taken as they are."""
    view_rows: ViewRows | None = None
    """Rows of `data` where it has several views of each image; None where its rows are those of the store."""

    @property
    def views(self) -> tuple[int, ...]:
        """Numbers of the cached views in `data`."""
        return needed_views(self.view_rows.config) if self.view_rows else ()

    def with_inputs(self, data: InputLoader) -> "TrainedPart":
        """The same part with other inputs."""
        return replace(self, data=data)


def open_part(model: Classifier, assignment: Assignment, context: WorkerContext) -> TrainedPart:
    """The part of `model` that the assignment trains, with its inputs; computes features or activations not cached.

    Raises `UserError` where the backbone cannot be cut as `freeze=lower` wants.
    """
    config, store, network = assignment.config, context.store, model.network
    if learns_from_features(config):
        features = frozen_features(model, config, store, context.group.device, on_step=context.on_step)
        data = make_loader(features, store.labels, context.group.device, context.feature_bytes)
        return TrainedPart(network.head, data)
    if not views_are_cached(config) or (assignment.teacher and config.cached_views):
        return TrainedPart(network, context.images_for(model.preprocess.spec), model.preprocess)
    part, lower = cut_part(model, config, context)
    return part.with_inputs(load_views(lower, part.views, context.feature_bytes, context.on_step))


def cut_part(model: Classifier, config: TrialConfig, context: WorkerContext) -> tuple[TrainedPart, LowerPart]:
    """Trained part, still without inputs, and frozen part of a classifier whose modules they share."""
    store, trunk = context.store, model.network.trunk
    lower, upper, cut = trunk, nn.Sequential(), "features"
    if config.freeze == "lower":
        lower, upper = split_trunk(config.model, trunk, model.preprocess.spec.side, len(store.labels))
        cut = f"cut-{len(lower)}"
    frozen = LowerPart(config, cut, lower, model.preprocess, store, context.group.device)
    module = UpperNetwork(upper, model.network.head, len(scored_views(config)))
    none = InMemoryLoader(labels=frozen.labels, inputs=torch.empty(0))
    return TrainedPart(module, none, view_rows=ViewRows(config, len(store.labels))), frozen


def evaluation_inputs(part: TrainedPart, assignment: Assignment, context: WorkerContext) -> EvaluationInputs:
    """Inputs of an evaluation: the images without augmentation, or what is cached of the views that inference sees."""
    device, classes = context.group.device, len(context.store.summary.classes)
    weights_of = weights_lookup(assignment, context.store, device)

    def load(rows: NDArray[np.int64]) -> Tensor:
        context.on_step()
        if part.preprocess is not None:
            inputs: Tensor = part.preprocess(part.data.load(rows))
            return inputs
        if part.view_rows is None:
            return part.data.load(rows)
        each = [part.data.load(view) for view in part.view_rows.scored(rows)]
        return torch.stack(each, dim=1) if len(each) > 1 else each[0]

    chunk = FEATURES_CHUNK
    if part.preprocess is not None:
        chunk = evaluation_chunk(device, part.preprocess.spec.pixels)
    elif part.view_rows is not None:
        chunk = evaluation_chunk(device, part.data.load(np.zeros(1, np.int64)).numel())
    return EvaluationInputs(load, part.data.load_labels, chunk, classes, weights_of)
