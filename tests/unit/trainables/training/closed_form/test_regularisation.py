"""The choice of L2 by cross-validation, on as few images as there may be, and on many."""

import pytest
import torch

from tests.helpers.made_features import made_features
from trainables.training.closed_form.logistic_regression import Basis, Problem
from trainables.training.closed_form.regularisation import L2_PATH, choose_l2


def problem(features: torch.Tensor, labels: torch.Tensor, classes: int) -> Problem:
    basis = Basis.of(features)
    return Problem(basis.project(features), labels, torch.ones(1, len(labels)), basis.variances, classes)


def test_noise_is_fitted_with_a_strong_l2_and_what_is_clear_with_a_weak_one():
    features, labels = made_features(120, 30, 3)
    shuffled = labels[torch.randperm(120, generator=torch.Generator().manual_seed(0))]
    noise = choose_l2(problem(features, shuffled, 3), None).l2
    clear = choose_l2(problem(features + 20 * torch.eye(3).repeat(40, 10), labels, 3), None).l2
    assert noise > 50 * clear


@pytest.mark.parametrize(
    "labels",
    [[0, 1], [0, 0, 1, 1], [0, 0, 0, 0, 0, 1], [0, 1, 2, 3], [0] * 20 + [2] * 20 + [1]],
    ids=["one image a class", "two images a class", "a class of one", "all classes of one", "rare"],
)
def test_the_smallest_data_sets_have_a_choice(labels):
    features = torch.rand(len(labels), 8, generator=torch.Generator().manual_seed(1))
    found = choose_l2(problem(features, torch.tensor(labels), 4), None)
    assert found.l2 in L2_PATH
    assert found.start.isfinite().all()


def test_groups_are_held_out_whole():
    """Each image occurs eight times: held out one by one, it would be found again, and overfitting would pay."""
    features, labels = made_features(24, 40, 2)
    shuffled = labels[torch.randperm(24, generator=torch.Generator().manual_seed(3))]
    copies = problem(features.repeat(8, 1), shuffled.repeat(8), 2)
    groups = torch.arange(24).repeat(8).numpy()
    assert choose_l2(copies, groups).l2 > choose_l2(copies, None).l2
