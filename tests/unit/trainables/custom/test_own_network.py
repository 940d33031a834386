"""An own network is built once before a search, and what cannot be trained is one line."""

import pytest
import torch

from tests.helpers.own_models import MODEL, NET, register_net
from tests.helpers.training import CPU, assignment, train
from trainables.common.errors import UserError
from trainables.config import TrialConfig
from trainables.custom.custom_code import CustomCode
from trainables.custom.own_network import check_own_network
from trainables.custom.register import register, register_descriptions
from trainables.data.store.store import open_store, prepare_data
from trainables.export.formats.inference_network import InferenceClassifier
from trainables.export.weights import read_classifier
from trainables.models.build_model import build_model, rebuild_model, scratch_input
from trainables.training.loop import TrialRun
from trainables.training.optimizers import make_optimizer
from trainables.training.trial_outputs import write_weights
from trainables.workers.worker_context import WorkerContext

CONFIG = TrialConfig(model=MODEL, custom={"heads": 2, "blocks": 1, "ratio": 0.1}, lr=1e-2)
HEAD = (
    "import torch\nfrom torch import nn\ndef build(data):\n    n, c = data.channels * data.side**2, len(data.classes)\n"
)
WRONG = {
    "    return 3": "TypeError: returned int; expected a torch.nn.Module",
    "    return nn.Sequential(nn.Flatten())": "has no parameter that can be trained",
    "    return nn.Sequential(nn.Flatten(), nn.Linear(n, c + 1))": "returns shape (1, 11) for images (1, 1, 8, 8); "
    "expected logits (1, 10)",
    "    return nn.Linear(3, 4)": "RuntimeError: mat1 and mat2 shapes cannot be multiplied",
    "    return nn.Sequential(nn.Linear(8, c))": "returns shape (1, 1, 8, 10)",
    "    net = nn.Sequential(nn.Flatten(), nn.Linear(n, c))\n    nn.init.constant_(net[1].bias, float('nan'))\n"
    "    return net": "numbers that are not finite",
    "    return no_such_thing": "NameError: name 'no_such_thing' is not defined",
    "    class Net(nn.Module):\n        def __init__(self):\n            super().__init__()\n"
    "            self.used, self.unused = nn.Linear(n, c), nn.Linear(2, 2)\n"
    "        def forward(self, x):\n            return self.used(x.view(len(x), -1))\n    return Net()":
    "2 of its parameters get no gradient, such as 'unused.weight'; with --workers-per-trial 2",
    "    class Net(nn.Module):\n        def __init__(self):\n            super().__init__()\n"
    "            self.used = nn.Linear(n, c)\n        def forward(self, x):\n"
    "            return self.used(x.view(1, -1).view(-1, n)[:1])\n    return Net()": "for images (2, 1, 8, 8)",
}  # fmt: skip


@pytest.fixture(autouse=True)
def unregistered():
    yield
    register(CustomCode())


@pytest.fixture(scope="module")
def digits():
    return prepare_data("digits")


def check(config, data, workers=1):
    check_own_network(config, data, scratch_input(config, data), workers)


@pytest.mark.parametrize("code", WRONG)
def test_a_network_that_cannot_be_trained_is_one_line(tmp_path, digits, code):
    register_net(tmp_path, HEAD + code)
    with pytest.raises(UserError) as raised:
        check(TrialConfig(model=MODEL), digits, 2)
    said = str(raised.value)
    assert said.startswith(f"--models '{tmp_path}/my_net.py:build': ")
    assert WRONG[code] in said
    assert "\n" not in said


def test_a_network_keeps_its_memory_order_and_its_last_layer_is_no_muon_s(tmp_path, digits):
    register_net(tmp_path, "from torch import nn\ndef build(data):\n    return nn.Sequential("
                 "nn.Conv2d(data.channels, 4, 3), nn.Flatten(), nn.Linear(4 * 36, len(data.classes)))")  # fmt: skip
    config = TrialConfig(model=MODEL, optimizer="muon")
    check(config, digits, 2)
    model = build_model(config, digits).to(memory_format=torch.channels_last)
    convolution, _, last = model.network.trunk.module
    assert convolution.weight.is_contiguous()
    groups = make_optimizer(config, model.network, pretrained=False).param_groups
    orthogonal = [p for group in groups if group["orthogonal"] for p in group["params"]]
    assert [p is convolution.weight for p in orthogonal] == [True]
    assert sum(len(group["params"]) for group in groups) == 4
    assert model.network.last_layer is last


def test_a_trained_one_is_rebuilt_from_its_record_where_its_code_is_known(tmp_path, digits):
    code = register_net(tmp_path / "net")
    place = WorkerContext.open(CPU, open_store(digits))
    task = assignment(tmp_path / "trial", CONFIG, kind="winner", max_epochs=1)
    run = TrialRun(task, place)
    train(run)
    write_weights(tmp_path / "winner", task, run)
    found, card = read_classifier(tmp_path / "winner")
    assert card.config == CONFIG
    images = torch.randint(0, 256, (3, 1, 8, 8), dtype=torch.uint8)
    assert found(images).shape == (3, 10)
    register_descriptions(code)
    with pytest.raises(UserError, match=r"custom/my_net.build', a network of the user's own, whose code is not loaded"):
        read_classifier(tmp_path / "winner")


def test_a_checkpoint_is_resumed_to_the_bit(tmp_path, digits):
    register_net(tmp_path / "net")
    place = WorkerContext.open(CPU, open_store(digits))
    whole = TrialRun(assignment(tmp_path / "whole", CONFIG, max_epochs=2), place)
    train(whole)
    first = TrialRun(assignment(tmp_path / "parts", CONFIG, max_epochs=2), place)
    first.train_epoch()
    first.save_and_wait()
    second = TrialRun(assignment(tmp_path / "parts", CONFIG, max_epochs=2), place)
    assert second.epochs == 1
    train(second)
    parts = second.averaged_state()
    assert all(torch.equal(tensor, parts[name]) for name, tensor in whole.averaged_state().items())


def test_the_default_values_build_what_the_record_leaves_out(tmp_path, digits):
    register_net(tmp_path, NET)
    model = rebuild_model(TrialConfig(model=MODEL), digits, scratch_input(CONFIG, digits))
    assert model.network.trunk.module[1].out_features == 16


NET_CLASS = """    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            {}
        def forward(self, x):
            {}
    return Net()"""
UNUSUAL = {
    "tied weights": NET_CLASS.format(
        "self.a, self.b, self.out = nn.Linear(n, n), nn.Linear(n, n), nn.Linear(n, c); self.b.weight = self.a.weight",
        "return self.out(self.b(self.a(x.flatten(1)).relu()))",
    ),
    "lazy layers": "    return nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(c))",
    "layers one by one": NET_CLASS.format(
        "self.body = nn.Sequential(nn.Conv2d(data.channels, 4, 3), nn.BatchNorm2d(4)); self.out = nn.Linear(4, c)",
        "first = self.body[0](x); return self.out((first + self.body[1](first)).mean((2, 3)))",
    ),
    "views and tokens": NET_CLASS.format(
        "self.p = nn.Conv2d(data.channels, 8, 2, 2); self.t = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True); "
        "self.pos = nn.Parameter(self.p.weight.new_zeros(1, (data.side // 2) ** 2, 8)); self.out = nn.Linear(8, c)",
        "return self.out(self.t(self.p(x).view(len(x), 8, -1).transpose(1, 2) + self.pos).mean(1))",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNUSUAL)
def test_unusual_networks_are_trained_kept_and_prepared_for_export(tmp_path, digits, kind):
    register_net(tmp_path / "net", HEAD + UNUSUAL[kind])
    config = TrialConfig(model=MODEL, lr=1e-2, optimizer="muon", batch_size=256)
    check(config, digits, 2)
    task = assignment(tmp_path / "trial", config, kind="winner", max_epochs=1)
    run = TrialRun(task, WorkerContext.open(CPU, open_store(digits)))
    train(run)
    run.save_and_wait()
    assert TrialRun(task, run.context).epochs == 1
    write_weights(tmp_path / "winner", task, run)
    found, _ = read_classifier(tmp_path / "winner")
    images = torch.randint(0, 256, (5, 1, 8, 8), dtype=torch.uint8)
    with torch.inference_mode():
        logits, _ = InferenceClassifier(found)(images)
        torch.testing.assert_close(logits, found(images), atol=1e-4, rtol=1e-4)
