"""The logistic regression of closed-form heads: its solution is the optimum, as scikit-learn finds it."""

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch.nn import functional

from tests.helpers.made_features import made_features
from trainables.training.closed_form.logistic_regression import Basis, HeadWeights, Problem, fold_into_head, solve


def fit(features: torch.Tensor, labels: torch.Tensor, l2: float, weights: torch.Tensor | None = None) -> HeadWeights:
    basis = Basis.of(features)
    own = torch.ones(len(labels)) if weights is None else weights
    problem = Problem(basis.project(features), labels, own[None], basis.variances, int(labels.max()) + 1)
    return fold_into_head(basis, solve(problem, l2)[0], l2)


def standardised(features: torch.Tensor) -> torch.Tensor:
    deviation = features.std(dim=0, correction=0)
    return (features - features.mean(dim=0)) / torch.where(deviation > 0, deviation, 1.0)


@pytest.mark.parametrize(("count", "width"), [(300, 20), (40, 120)], ids=["more images", "more features"])
@pytest.mark.parametrize("l2", [100.0, 1.0, 0.03])
def test_the_solution_is_scikit_learns(count, width, l2):
    features, labels = made_features(count, width, 4)
    weights = torch.linspace(0.5, 1.5, count)
    head = fit(features, labels, l2, weights)
    reference = LogisticRegression(C=1 / l2, tol=1e-8, max_iter=10_000)
    reference.fit(standardised(features).double(), labels, sample_weight=weights.double().numpy())
    expected = reference.predict_proba(standardised(features).double())
    assert head.logits(features).softmax(dim=1).numpy() == pytest.approx(expected, abs=2e-3)


def test_the_gradient_of_the_loss_is_zero():
    features, labels = made_features(200, 30, 3)
    head = fit(features, labels, 1.0)
    deviation = features.std(dim=0, correction=0).double()
    weight = (head.weight.double() * deviation).requires_grad_()
    bias = (head.bias.double() + head.weight.double() @ features.mean(dim=0).double()).requires_grad_()
    logits = standardised(features).double() @ weight.T + bias
    loss = functional.cross_entropy(logits, labels, reduction="sum") + weight.square().sum() / 2
    slopes = torch.autograd.grad(loss, [weight, bias])
    assert max(float(slope.abs().max()) for slope in slopes) < 0.02, "of a sum over 200 images"


def test_fits_side_by_side_are_those_one_by_one():
    features, labels = made_features(100, 10, 3)
    basis = Basis.of(features)
    weights = torch.stack([torch.ones(100), torch.linspace(0.0, 2.0, 100)])
    both = Problem(basis.project(features), labels, weights, basis.variances, 3)
    together = solve(both, 1.0)
    for place in (0, 1):
        alone = solve(Problem(both.inputs, labels, weights[place : place + 1], basis.variances, 3), 1.0)[0]
        assert torch.allclose(together[place], alone, atol=3e-3)


def test_features_without_any_difference_leave_the_frequencies():
    head = fit(torch.ones(8, 5), torch.tensor([0, 0, 0, 0, 0, 0, 1, 1]), 1.0)
    assert head.logits(torch.ones(1, 5)).softmax(dim=1)[0].tolist() == pytest.approx([0.75, 0.25], abs=1e-3)
