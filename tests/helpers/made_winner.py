"""A winner's folder without a search: one network, trained on train + validation, which may see test images."""

from pathlib import Path

from trainables.config import Assignment, TrialConfig
from trainables.metrics.predictions import TEST_PERMIT
from trainables.training.loop import TrialRun
from trainables.training.trial_outputs import write_weights
from trainables.workers.worker_context import WorkerContext


def train_winner(place: WorkerContext, folder: Path, config: TrialConfig, epochs: int) -> TrialRun:
    """Train `config` into `folder`; the run, which is over."""
    task = Assignment(trial="w", kind="winner", config=config, max_epochs=epochs, seed=0, folder=str(folder))
    run = TrialRun(task, place)
    while not run.done:
        run.train_epoch()
    run.close()
    write_weights(folder, task, run)
    (folder / TEST_PERMIT).write_text("{}")
    return run
