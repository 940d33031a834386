"""Training by several workers on real digits: the same weights as one worker's."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch

from tests.helpers.training import CONVNET, train_with
from trainables.config import TrialConfig
from trainables.training.device import set_precision


@pytest.fixture(autouse=True)
def single_precision() -> Iterator[None]:
    """What is compared to the last digits is computed alike on every machine."""
    set_precision("fp32")
    yield
    set_precision("auto")


@pytest.fixture
def fp32(monkeypatch):
    """Full precision, for what must agree to more digits than bf16 has."""
    monkeypatch.setattr("trainables.training.device.uses_bf16", lambda _device: False)


OUT_OF_MEMORY = """
import resource, sys, torch
from trainables.config import Assignment, TrialConfig
from trainables.training.device import set_precision
from trainables.training.evaluation import forward
from trainables.data.store.store import open_store, prepare_data
from trainables.training.device import set_precision
from trainables.workers.worker_context import ProcessGroup
from trainables.training.loop import TrialRun
from trainables.workers.worker_context import WorkerContext

torch.set_num_threads(1)
set_precision("fp32")
place = WorkerContext.open(ProcessGroup(0, 1, torch.device("cpu")), open_store(prepare_data("digits")))
config = TrialConfig(width=64, depth=2, input_size=32, batch_size=512, batch_norm=False)
run = TrialRun(Assignment(trial="t", kind="search", config=config, seed=0, max_epochs=1, folder=sys.argv[1]), place)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 350_000_000, -1))
run.rows = run.rows[:512]
print(run.train_epoch().micro_batch)
"""


def test_out_of_memory_halves_the_micro_batch_and_goes_on(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", OUT_OF_MEMORY, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1]) in {256, 128, 64, 32, 16, 8}


@pytest.mark.parametrize(
    "config",
    [
        # 1,298 images in batches of at most 63: every batch is uneven between two workers somewhere.
        # At larger rates AdamW makes of rounding errors what one cannot tell from a mistake.
        CONVNET.model_copy(
            update={"lr": 1e-3, "batch_size": 63, "augment_strength": 0.2, "cutmix": 1.0, "balance": "loss"}
        ),
        TrialConfig(
            model="resnet", width=8, depth=1, lr=3e-3, batch_size=129, grad_clip=1.0, mixup=0.2, balance="sampling"
        ),
        CONVNET.model_copy(update={"batch_size": 63, "optimizer": "muon", "flip": "alternating", "tta": True}),
    ],
    ids=["convnet", "resnet", "speed run"],
)
def test_two_workers_train_what_one_does(digits, tmp_path, config):
    one, one_weights = train_with(1, config, tmp_path / "one")
    two, two_weights = train_with(2, config, tmp_path / "two")
    for a, b in zip(one, two, strict=True):
        assert b.train_loss == pytest.approx(a.train_loss, rel=2e-3)
        assert b.val_loss == pytest.approx(a.val_loss, rel=2e-2)
        assert b.score == pytest.approx(a.score, abs=0.02)
    for name, tensor in one_weights.items():
        assert torch.allclose(tensor, two_weights[name], atol=5e-3, rtol=5e-2), name


def test_two_workers_fine_tune_what_one_does(digits, tmp_path):
    config = TrialConfig(
        model="tf_efficientnet_lite0", freeze="lower", input_size=32, batch_size=65, flip="random", tta=True,
        backbone_lr=1e-4, head_lr=1e-3,
    )  # fmt: skip
    (one,), one_weights = train_with(1, config, tmp_path / "one", epochs=1)
    (two,), two_weights = train_with(2, config, tmp_path / "two", epochs=1)
    assert two.train_loss == pytest.approx(one.train_loss, rel=2e-3)
    assert two.val_loss == pytest.approx(one.val_loss, rel=2e-2)
    for name, tensor in one_weights.items():
        assert torch.allclose(tensor, two_weights[name], atol=5e-3, rtol=5e-2), name


@pytest.mark.parametrize(("batch_size", "micro_batch"), [(7, 0), (65, 8), (65, 1)], ids=["shares of one", "8", "1"])
def test_three_workers_with_uneven_shares_train_what_one_does(digits, tmp_path, batch_size, micro_batch):
    """Batches of 6 and 7 images; or shares of 21 and 22, in slices of 7 and 8, or of 1 and 2."""
    norm = micro_batch == 0  # one worker's slices see other images together than three workers' do
    config = CONVNET.model_copy(update={"lr": 1e-3, "batch_size": batch_size, "batch_norm": norm})
    one, one_weights = train_with(1, config, tmp_path / "one", epochs=1)
    three, three_weights = train_with(3, config, tmp_path / "three", epochs=1, micro_batch=micro_batch)
    assert three[0].train_loss == pytest.approx(one[0].train_loss, rel=2e-3)
    assert three[0].score == pytest.approx(one[0].score, abs=0.02)
    for name, tensor in one_weights.items():
        assert torch.allclose(tensor, three_weights[name], atol=1e-2, rtol=5e-2), name


def test_batch_norm_over_workers_that_cut_uneven_shares_ends(digits, tmp_path):
    """Shares of 33 and 32 in slices of 16: three passes each, or one worker would wait for the other for ever."""
    config = CONVNET.model_copy(update={"batch_size": 65})
    (report,) = train_with(2, config, tmp_path / "two", epochs=1, micro_batch=16)[0]
    assert report.status == "complete"
