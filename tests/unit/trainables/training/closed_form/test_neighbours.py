"""The check of a regression by neighbours."""

import torch

from trainables.training.closed_form.neighbours import neighbour_accuracy, report_check


def test_clusters_are_found_and_shuffled_labels_are_not():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(120) % 3
    features = torch.eye(3).repeat(40, 4) + 0.1 * torch.randn(120, 12, generator=generator)
    known, asked = slice(0, 90), slice(90, 120)
    assert neighbour_accuracy(features[known], labels[known], features[asked], labels[asked], 3) == 1.0
    shuffled = labels[torch.randperm(120, generator=generator)]
    assert neighbour_accuracy(features[known], shuffled[known], features[asked], shuffled[asked], 3) < 0.7


def test_a_single_image_is_its_own_neighbour():
    one, label = torch.ones(1, 4), torch.zeros(1, dtype=torch.long)
    assert neighbour_accuracy(one, label, one, label, 2) == 1.0


def test_a_regression_that_is_worse_by_far_is_doubted(caplog):
    report_check("trial-1", 0.5, 0.55)
    assert not caplog.records
    report_check("trial-1", 0.5, 0.9)
    assert "may be broken" in caplog.text
