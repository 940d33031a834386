"""Finals whose trainings are made up: what each finalist predicts follows from its accuracy and its seed."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from optuna.trial import TrialState

from searchspace.sampling.samplers import make_sampler
from searchspace.spec import make_spec, save_record
from searchspace.study.study import create_study
from searchspace.study.trial_attributes import record_report
from trainables.config import EpochReport, TrialConfig, failure
from trainables.metrics.predictions import VALIDATION_PREDICTIONS

IMAGES, SEARCH_IMAGES = 400, 100
"""Validation images of the finals and of the search, too few to make a finalist hopeless that is 10 points behind."""
CLOSED_FORM = TrialConfig(model="efficientnet_lite0", freeze="all", head_solver="lbfgs")


@dataclass
class ScriptedPool:
    """Predicts by `accuracies`, by trial; of those in `fails` each training fails."""

    accuracies: dict[int, float]
    slots: int = 1
    fails: frozenset[int] = frozenset()
    dies_after: int = 1_000
    """Trainings after which it is interrupted."""
    trained: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    """Trainings that were begun and found not to be needed."""

    def run_source(self, source, listen=lambda _report: None):
        running = []
        while chosen := [*running, *source.next_assignments([a.trial for a in running], self.slots - len(running))]:
            first, *running = chosen
            if not source.is_needed(first.trial):
                self.stopped.append(first.trial)
                continue
            if len(self.trained) == self.dies_after:
                raise KeyboardInterrupt
            report = self._train(first)
            listen(report)
            source.record(report)

    def _train(self, assignment):
        self.trained.append(assignment.trial)
        number = int(assignment.trial.split("-")[1])
        if number in self.fails:
            return failure(assignment.trial, "diverged", 1)
        rng = np.random.default_rng(assignment.seed)
        hard = np.random.default_rng(0).permutation(IMAGES)  # the same images are hard for all
        wrong = hard < round((1 - self.accuracies[number]) * IMAGES)
        wrong ^= rng.random(IMAGES) < 0.005
        right = np.where(wrong, 0.1, 0.9)
        folder = Path(assignment.folder)
        folder.mkdir(parents=True, exist_ok=True)
        said = np.stack([right, 1 - right], axis=1).astype(np.float32)
        np.savez(folder / VALIDATION_PREDICTIONS, probabilities=said, labels=np.zeros(IMAGES, np.int64))
        return EpochReport(
            trial=assignment.trial, epoch=assignment.max_epochs, score=1 - wrong.mean(), status="complete",
            total_seconds=1.0,
        )  # fmt: skip


def scripted_search(tmp_path, trials, **options):
    """A search and its study; `trials` are (search score, seconds of a training, whether it is a probe)."""
    spec = make_spec(name="s", results=str(tmp_path), max_epochs=2, grace_epochs=1, **options)
    study = create_study(spec, make_sampler(spec, "random"))
    finals = {"source": "drawn", "images": IMAGES, "search_images": SEARCH_IMAGES}
    save_record(spec.folder, spec, {"data": {"val": IMAGES, "finals": finals}, "command": "c", "trials": len(trials)})
    for number, (score, seconds, is_probe) in enumerate(trials):
        trial = study.ask()
        config = CLOSED_FORM if is_probe else TrialConfig(lr=0.001 * (number + 1))
        trial.set_user_attr("config", config.model_dump_json())
        trial.set_user_attr("origin", "probe" if is_probe else "default")
        record_report(
            trial, number,
            EpochReport(trial="t", epoch=2, score=score, accuracy=score, status="complete", total_seconds=seconds),
        )  # fmt: skip
        study.tell(trial, score, state=TrialState.COMPLETE)
    return spec, study
