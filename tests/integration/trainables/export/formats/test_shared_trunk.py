"""Heads on one trunk are exported with the trunk once, and answer as each alone."""

import shutil

import numpy as np
import torch

from trainables.export.formats.onnx_format import export_onnx
from trainables.export.formats.torch_program import export_program
from trainables.export.model_info import EnsembleInfo, member_folder
from trainables.export.predictor import Predictor
from trainables.export.safetensors_file import write_safetensors
from trainables.export.weights import WEIGHTS, read_classifier, write_ensemble


def test_a_file_holds_a_shared_trunk_once_and_answers_as_the_members_do(trained, digits_store, tmp_path):
    for index in range(2):
        ignored = shutil.ignore_patterns("*.onnx", "*.pt2")
        shutil.copytree(trained, member_folder(tmp_path, index), ignore=ignored)
    second, _ = read_classifier(member_folder(tmp_path, 1))
    state = second.state_dict()
    state["network.head.1.weight"] = -state["network.head.1.weight"]
    write_safetensors(member_folder(tmp_path, 1) / WEIGHTS, state)
    write_ensemble(tmp_path, 2, (3, 1))

    ensemble, card = read_classifier(tmp_path)
    assert isinstance(card, EnsembleInfo)
    assert card.counts == (3, 1)
    single, own_card = read_classifier(trained)
    images = np.ascontiguousarray(digits_store.images[:6])
    with torch.inference_mode():
        each = [read_classifier(member_folder(tmp_path, index))[0](torch.from_numpy(images)) for index in range(2)]
    expected = sum(count * logits.softmax(dim=1).numpy() for count, logits in zip((0.75, 0.25), each, strict=True))

    export_onnx(single, own_card, tmp_path / "single.onnx")
    export_onnx(ensemble, card, tmp_path / "both.onnx")
    assert np.allclose(Predictor(tmp_path / "both.onnx").probabilities(images), expected, atol=1e-5)
    export_program(ensemble, card, tmp_path / "both.pt2", torch.device("cpu"))
    with torch.inference_mode():
        found = torch.export.load(tmp_path / "both.pt2").module()(torch.from_numpy(images))[1]
    assert np.allclose(found.numpy(), expected, atol=1e-5)
    head = sum(p.numel() for p in single.network.head.parameters())
    trunk = sum(p.numel() for p in single.network.trunk.parameters())
    grown = (tmp_path / "both.onnx").stat().st_size - (tmp_path / "single.onnx").stat().st_size
    assert grown < 4 * head + 8_000 < 4 * trunk
