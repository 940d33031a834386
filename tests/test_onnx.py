"""The ONNX artefact computes what the classifier does."""

import pytest
import torch

from trainables.card import ModelCard
from trainables.config import TrialConfig
from trainables.deploy.onnx import export_onnx, prove_onnx
from trainables.models.registry import build_model
from trainables.models.whiten import fit_whitening


@pytest.mark.parametrize("tta", [False, True])
def test_a_convnet_is_exported_as_it_infers(digits, digits_store, tmp_path, tta):
    torch.manual_seed(0)
    config = TrialConfig(width=8, depth=2, tta=tta)
    model = build_model(config, digits)
    fit_whitening(model, digits_store)
    model(torch.from_numpy(digits_store.images[:64]))  # statistics unlike those a batch norm starts with
    card = ModelCard(config=config, seed=0, epochs=0, data=digits, input=model.preprocess.spec)
    export_onnx(model.eval(), card, tmp_path / "model.onnx")
    parity = prove_onnx(tmp_path / "model.onnx", model, digits_store.images[digits_store.rows("val")])
    assert parity.largest_difference < 1e-5
    assert parity.agreement == 1.0
