"""Licences: said where somebody said them, unknown where nobody did."""

from dataclasses import replace

import pytest
from timm.models import get_pretrained_cfg

from trainables.common.licence import Licence, binding
from trainables.config import TrialConfig
from trainables.data.sources.source_registry import NAMED_SETS, licence_of_data
from trainables.export.model_info import EnsembleInfo, InputSpec, ModelInfo, describe_model
from trainables.models.weights_licence import licence_of


@pytest.mark.parametrize(
    ("model", "licence", "said"),
    [
        ("convnet", "yours", "trained from scratch on digits, and belong to the person who trained them"),
        (
            "tf_efficientnet_lite0",
            "apache-2.0",
            "begun with the weights of tf_efficientnet_lite0 (ImageNet",
        ),
        ("resnet18", "apache-2.0", "begun with the weights of timm/resnet18.a1_in1k"),
        ("convnextv2_atto", "cc-by-nc-4.0", "convnextv2_atto"),
        ("torchvision/resnet18", "bsd-3-clause", "torchvision's ResNet18_Weights.IMAGENET1K_V1, which"),
        ("torchvision/vit_h_14", "other", "under https://github.com/facebookresearch/SWAG/blob/main/LICENSE"),
    ],
)
def test_weights_have_the_licence_of_what_they_began_with(model, licence, said):
    found = licence_of(model, "digits")
    assert found.id == licence
    assert said in found.terms


def test_what_timm_does_not_know_is_unknown(monkeypatch):
    silent = replace(get_pretrained_cfg("resnet18"), license=None)
    monkeypatch.setattr("timm.models.get_pretrained_cfg", lambda _name: silent)
    assert licence_of("resnet18", "digits").id == "unknown"


def test_data_of_a_folder_have_no_known_licence():
    assert [licence_of_data(name).id for name in NAMED_SETS] == ["cc-by-4.0", "mit", "unknown", "unknown"]
    assert licence_of_data("path/to/images").id == "unknown"


def test_an_ensemble_is_bound_by_all_that_binds_a_member(digits):
    def card(model: str) -> ModelInfo:
        spec = InputSpec(side=8, channels=1, mean=(0.5,), std=(0.5,))
        licence = licence_of(model, digits.name)
        return ModelInfo(
            config=TrialConfig(model=model), seed=0, epochs=1, data=digits, input=spec, licence=licence
        )  # fmt: skip

    both = describe_model(EnsembleInfo(members=(card("convnet"), card("resnet18"))))
    assert both["license"] == "apache-2.0", "what one trained oneself does not bind"
    assert both["license_terms"].count("; ") == 1
    assert describe_model(card("convnet"))["license"] == "yours"
    assert binding([Licence(), Licence(id="mit"), Licence()]) == ("unknown", "mit")


def test_weights_of_before_have_an_unknown_licence(digits):
    spec = InputSpec(side=8, channels=1, mean=(0.5,), std=(0.5,))
    card = ModelInfo(config=TrialConfig(), seed=0, epochs=1, data=digits, input=spec)
    without = card.model_dump(exclude={"licence"})
    assert ModelInfo.model_validate(without).licence.id == "unknown"
