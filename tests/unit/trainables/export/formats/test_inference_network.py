"""The classifier rearranged for inference gives the same answers."""

import pytest
import torch
from torch import nn

from trainables.config import TrialConfig
from trainables.export.formats.inference_network import InferenceClassifier, reorder_layers
from trainables.models.build_model import build_model
from trainables.models.classifier import Ensemble, share_trunks


def built(config: TrialConfig, digits, digits_store):
    torch.manual_seed(0)
    model = build_model(config, digits)
    model(torch.from_numpy(digits_store.images[:64]))  # statistics unlike those a batch norm starts with
    return model.eval()


@pytest.mark.parametrize("tta", [False, True])
@pytest.mark.parametrize("model", ["convnet", "resnet"])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_answers_stay(digits, digits_store, tta, model, activation):
    classifier = built(TrialConfig(model=model, width=8, tta=tta, activation=activation), digits, digits_store)
    images = torch.from_numpy(digits_store.images[:5])
    with torch.inference_mode():
        expected = classifier(images)
        logits, probabilities = InferenceClassifier(classifier)(images)
        assert torch.allclose(logits, expected, atol=1e-5)
        assert torch.allclose(probabilities, expected.softmax(dim=1), atol=1e-5)
        assert torch.equal(classifier(images), expected), "it was a copy that was rearranged"


def test_an_ensembles_members_are_rearranged_too(digits, digits_store):
    members = [built(TrialConfig(width=8, tta=tta), digits, digits_store) for tta in (False, True)]
    images = torch.from_numpy(digits_store.images[:5])
    with torch.inference_mode():
        assert torch.allclose(InferenceClassifier(Ensemble(members))(images)[0], Ensemble(members)(images), atol=1e-5)


def test_members_of_one_trunk_answer_as_each_alone_and_it_runs_once(digits, digits_store):
    first, second, other = (built(TrialConfig(width=8, tta=tta), digits, digits_store) for tta in (False, True, False))
    with torch.no_grad():
        second.network.head[-1].weight.neg_()
        next(other.network.trunk.parameters()).add_(1.0)
    images = torch.from_numpy(digits_store.images[:5])
    with torch.inference_mode():
        alone = [member(images).softmax(dim=1) for member in (first, second, other)]
    members = [first, second, other]
    share_trunks(members)
    assert second.network.trunk is first.network.trunk is not other.network.trunk
    ensemble, runs = Ensemble(members, counts=(2, 1, 1)), []
    first.network.trunk.register_forward_hook(lambda *_: runs.append(1))
    with torch.inference_mode():
        expected = (2 * alone[0] + alone[1] + alone[2]) / 4
        assert torch.allclose(ensemble(images).softmax(dim=1), expected, atol=1e-5)
        assert len(runs) == 2, "the images, and their mirror images for the second member"
        assert torch.allclose(InferenceClassifier(ensemble)(images)[1], expected, atol=1e-5)
    assert sum(p.numel() for p in ensemble.parameters()) == sum(
        p.numel() for p in (*first.parameters(), *second.network.head.parameters(), *other.parameters())
    )


def test_pools_go_behind_what_keeps_order_and_norms_melt():
    norm = nn.BatchNorm2d(4)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), norm, nn.ReLU(), nn.MaxPool2d(2), nn.GELU()).eval()
    reorder_layers(layers)
    assert [type(layer) for layer in layers] == [nn.Conv2d, nn.Identity, nn.ReLU, nn.MaxPool2d, nn.MaxPool2d, nn.GELU]
    with torch.no_grad():
        norm.weight[0] = -1.0
    turned = nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), norm).eval()
    reorder_layers(turned)
    assert isinstance(turned[1], nn.MaxPool2d), "a negative scale turns the order round"


def test_half_precision_computes_in_it_and_answers_in_float32(digits, digits_store):
    classifier = built(TrialConfig(width=8), digits, digits_store)
    images = torch.from_numpy(digits_store.images[:5])
    with torch.inference_mode():
        logits, _ = InferenceClassifier(classifier, torch.bfloat16)(images)
    assert logits.dtype == torch.float32
    assert not torch.equal(logits, classifier(images))
    assert torch.allclose(logits, classifier(images), atol=0.1, rtol=0.1)
