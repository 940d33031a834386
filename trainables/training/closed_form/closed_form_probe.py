"""A probe of a head that is solved for: times the solving, on a sample's features where the others are not there."""

import time

import numpy as np
import torch

from trainables.config import Assignment
from trainables.data.loading.square_maker import training_images
from trainables.data.store.store import SCORED_ON, TRAINED_ON
from trainables.models.build_model import build_model
from trainables.training.closed_form.fit_head import fit_to_views
from trainables.training.device import peak_memory, reset_peak_memory
from trainables.training.features.feature_set import Features, View, wanted_views
from trainables.training.features.frozen_features import expected_seconds, feature_views, known_backbone
from trainables.training.features.runtime import SAMPLE, choose_runtime, embedder
from trainables.training.timing import Timing
from trainables.workers.worker_context import WorkerContext


def probe_closed_form(assignment: Assignment, context: WorkerContext) -> Timing:
    """Time a closed-form trial on this gang; an epoch is the whole of its training."""
    config, store, device = assignment.config, context.store, context.group.device
    reset_peak_memory(device)
    started = time.perf_counter()
    once_seconds, parameters, views = _features(assignment, context)
    setup_seconds = time.perf_counter() - started if not once_seconds else 0.0
    rows = store.rows(TRAINED_ON[assignment.kind], assignment.fold)
    began = time.perf_counter()
    head = fit_to_views(views, config, store, rows, device, context.on_step)
    solved = time.perf_counter()
    width = head.weight.shape[1]
    scored = torch.zeros(len(store.rows(SCORED_ON[assignment.kind], assignment.fold)), width, device=device)
    head.logits(scored)
    return Timing(
        config=config, steps=1, step_seconds=solved - began,
        evaluation_seconds=time.perf_counter() - solved,
        setup_seconds=setup_seconds, once_seconds=once_seconds,
        features_mb=len(views) * len(store.labels) * width * 4 / 1e6 if once_seconds else 0.0,
        memory_mb=peak_memory(device) / 1e6, parameters=parameters + head.weight.numel() + head.bias.numel(),
    )  # fmt: skip


def _features(assignment: Assignment, context: WorkerContext) -> tuple[float, int, list[Features]]:
    """Seconds that the features of all images take, once; parameters of the backbone; features, or such in their place.

    Those in their place are a sample's, repeated with noise, so that solving takes about as long.
    """
    config, store, device = assignment.config, context.store, context.group.device
    wanted = wanted_views(config)
    known = [known_backbone(config, store, device, view) for view in wanted]
    if all(known) and known[0]:
        return 0.0, known[0].parameters, feature_views(config, store, device)
    once_seconds = expected_seconds(config, store, device)
    model = build_model(config, store.summary).to(device).to(memory_format=torch.channels_last)
    rows = np.arange(min(len(store.labels), SAMPLE))
    images = torch.from_numpy(training_images(store, rows, model.preprocess.spec.square_fit)).to(device)
    sample = embedder(model, choose_runtime(model, config, store, device))(images, View.PLAIN).numpy()
    made = np.resize(sample, (len(store.labels), sample.shape[1]))
    made += sample.std() * np.random.default_rng(assignment.seed).standard_normal(made.shape, np.float32)
    return once_seconds, sum(p.numel() for p in model.network.trunk.parameters()), [made] * len(wanted)
