"""Whole trainings of the convnet."""

import torch
from torch import nn

from trainables.config import Assignment, TrialConfig
from trainables.training.loop import TrialRun
from trainables.workers.worker_context import ProcessGroup, WorkerContext


def first_layer(model):
    return next(m for m in model.modules() if isinstance(m, nn.Conv2d))


def test_whitening_stays_fixed_through_training_and_its_bias_learns(digits_store, tmp_path):
    config = TrialConfig(width=8, optimizer="muon", lr=1e-2, weight_decay=0.1)
    task = Assignment(trial="t", kind="search", config=config, seed=0, max_epochs=1, folder=str(tmp_path))
    run = TrialRun(task, WorkerContext.open(ProcessGroup(0, 1, torch.device("cpu")), digits_store))
    layer = first_layer(run.model)
    before = layer.weight.clone()
    run.train_epoch()
    assert torch.equal(layer.weight, before)
    assert layer.bias.abs().max() > 0


def test_a_small_convnet_learns_digits_in_a_few_epochs(digits_store, tmp_path):
    config = TrialConfig(width=16, depth=3, optimizer="muon", lr=1e-2, momentum=0.6)
    task = Assignment(trial="t", kind="search", config=config, seed=0, max_epochs=4, folder=str(tmp_path))
    run = TrialRun(task, WorkerContext.open(ProcessGroup(0, 1, torch.device("cpu")), digits_store))
    scores = [run.train_epoch().score for _ in range(4)]
    assert scores[0] > 0.8
    assert scores[-1] > 0.96
