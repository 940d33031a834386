"""What only a GPU can show: its memory runs out, its half precision, and what is shipped for it."""

from collections.abc import Iterator

import pytest
import torch

from tests.helpers.made_winner import train_winner
from trainables.common.reporter import SilentReporter
from trainables.config import Assignment, TrialConfig
from trainables.export.exported_files import ExportRecord
from trainables.export.exporter import ExportRequest, export_classifier
from trainables.training.loop import TrialRun
from trainables.workers.worker_context import ProcessGroup, WorkerContext

pytestmark = pytest.mark.gpu
SMALL = TrialConfig(width=8, depth=2, lr=0.01, batch_size=64, tta=True)


@pytest.fixture
def place(digits_store) -> WorkerContext:
    return WorkerContext.open(ProcessGroup(0, 1, torch.device("cuda", 0)), digits_store)


@pytest.fixture
def little_memory() -> Iterator[None]:
    """A card on which this process may take no more than 200 MB beyond what it holds."""
    whole = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 200e6) / whole)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)


def test_memory_that_runs_out_halves_the_micro_batch_and_the_trial_ends_well(place, tmp_path, little_memory):
    config = SMALL.model_copy(update={"width": 64, "batch_size": 1024, "input_size": 32})
    run = train_winner(place, tmp_path, config, 2)
    assert run.reports[-1].status == "complete"
    assert 0 < run.micro_batch < config.batch_size
    assert run.reports[-1].micro_batch == run.micro_batch


def test_one_device_trains_as_another_does(place, digits_store, tmp_path):
    """Not to the bit: four epochs on a GPU and on a CPU end with nearly the same loss."""
    other = WorkerContext.open(ProcessGroup(0, 1, torch.device("cpu")), digits_store)
    ends = []
    for name, where in (("gpu", place), ("cpu", other)):
        task = Assignment(trial=name, kind="search", config=SMALL, max_epochs=4, seed=0, folder=str(tmp_path / name))
        run = TrialRun(task, where)
        while not run.done:
            run.train_epoch()
        ends.append(run.reports[-1])
        run.close()
    assert ends[0].val_loss == pytest.approx(ends[1].val_loss, abs=0.1)
    assert min(end.accuracy for end in ends) > 0.9


def test_the_winner_ships_in_half_precision_too(place, tmp_path):
    train_winner(place, tmp_path, SMALL, 6)
    shipment: ExportRecord = export_classifier(tmp_path, ExportRequest(max_drop=1.0), SilentReporter())
    assert not shipment.dropped
    half = shipment.find("pt2-half")
    assert half is not None
    assert half.size_mb < shipment.find("pt2").size_mb
    assert half.proof.agreement >= 0.98
    assert half.proof.largest_difference > 0, "float16 is not float32"
    assert half.speed.throughput[256] > 0
