"""Finals without gangs: a bench that trains in this process, and a study that has finalists."""

import re
from pathlib import Path

from optuna.trial import TrialState

from searchspace.sampling.samplers import make_sampler
from searchspace.spec import make_spec, save_record
from searchspace.study.study import create_study
from searchspace.study.trial_attributes import record_report
from trainables.config import EpochReport, TrialConfig, failure
from trainables.training.loop import TrialRun
from trainables.training.trial_outputs import write_predictions, write_validation_predictions, write_weights
from trainables.workers.worker_context import WorkerContext

CONFIGS = [TrialConfig(width=8, depth=2, lr=lr, batch_size=64) for lr in (1e-2, 3e-3, 1e-3)]


class Workbench:
    """Trains assignments as a gang's one worker does, in this process; those that `fails` matches fail."""

    def __init__(self, place: WorkerContext, fails: str = "-") -> None:
        self.place, self.fails, self.trained = place, fails, []

    def run_trials(self, assignments, listen=lambda _report: None):
        reports = [self.serve(assignment) for assignment in assignments]
        for report in reports:
            listen(report)
        return reports

    def run_source(self, source, listen=lambda _report: None):
        while chosen := source.next_assignments([], 1):
            (assignment,) = chosen
            report = self.serve(assignment)
            listen(report)
            source.record(report)

    def serve(self, assignment):
        self.trained.append(assignment)
        folder = Path(assignment.folder)
        if re.fullmatch(self.fails, assignment.trial):
            return failure(assignment.trial, "diverged", 1)
        if assignment.kind == "test":
            write_predictions(folder, self.place, assignment.weighted)
            return EpochReport(trial=assignment.trial, epoch=1, status="complete")
        run = TrialRun(assignment, self.place)
        while not run.done:
            report = run.train_epoch()
        (
            write_weights(folder, assignment, run)
            if assignment.kind == "winner"
            else write_validation_predictions(folder, run)
        )
        return report


def make_search(tmp_path, digits, **options):
    spec = make_spec(name="s", results=str(tmp_path), max_epochs=2, grace_epochs=1, **options)
    study = create_study(spec, make_sampler(spec, "random"))
    save_record(spec.folder, spec, {"data": digits.model_dump(), "command": "searchspace run", "trials": 3})
    for config, score in zip(CONFIGS, (0.99, 0.98, 0.97), strict=True):
        record(study, [score / 2, score], TrialState.COMPLETE, config)
    return spec, study


def record(study, scores, state, config=CONFIGS[0], val_loss=0.0):
    trial = study.ask()
    trial.set_user_attr("config", config.model_dump_json())
    curve = [EpochReport(trial="t", epoch=i, score=score, val_loss=val_loss) for i, score in enumerate(scores, start=1)]
    for order, report in enumerate(curve):
        record_report(trial, order, report)
    study.tell(trial, scores[-1] if state == TrialState.COMPLETE else None, state=state)
