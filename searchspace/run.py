"""The one command: `python -m searchspace.run --trials 64` searches, proves, retrains, tests and exports."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchspace import preflight
from searchspace.export import describe as describe_export
from searchspace.export import export_winner
from searchspace.leaderboard import print_board, rank_trials, read_finalists, to_text
from searchspace.options import from_records
from searchspace.page import PAGE, write_page
from searchspace.progress import Clock, Progress
from searchspace.record import gather_facts
from searchspace.spaces import default_space, default_trials
from searchspace.spec import SearchSpec, extend_record, make_spec, save_record
from searchspace.wording import metric_of, say_way

if TYPE_CHECKING:
    import optuna

    from searchspace.spaces import Space, Task
    from trainables.data.summary import DataSummary
    from trainables.gang import GangPool
    from trainables.mailbox import GangInfo
    from trainables.metrics import TestMetrics
    from trainables.shape import GangShape

Say = Callable[[str], None]


def main(**options: Any) -> None:
    """Find the best image classifier: search, retrain the finalists, test the winner once, export it.

    Example: python -m searchspace.run --data path/to/images --trials 64 --time-budget 1h
    """
    run(make_spec(**options), Clock())


@dataclass(frozen=True)
class Plan:
    """What the preflight found: all that the search needs to know besides its specification."""

    data: "DataSummary"
    task: "Task"
    space: "Space"
    shape: "GangShape"

    @property
    def facts(self) -> dict[str, Any]:
        """What `search.json` keeps of it."""
        return {"data": self.data.model_dump(), "models": self.task.models, "gangs": self.shape.model_dump()}


def make_plan(spec: SearchSpec, data: "DataSummary", resources: Mapping[str, float], say: Say) -> Plan:
    """Check everything against the cluster's `resources`; raises `UserError` for what cannot work."""
    from trainables.shape import GangShape

    slots, gpus = preflight.count_slots(spec, resources)
    models = preflight.choose_models(spec, gpus > 0, say)
    task = preflight.make_task(data, models, gpus > 0)
    space = preflight.check_space(spec, task)
    shape = GangShape(
        slots=slots, workers=spec.workers_per_trial, cpus=spec.cpus_per_worker, gpus=gpus,
        precision=spec.precision, memory_gb=spec.memory_gb,
    )  # fmt: skip
    return Plan(data, task, space, shape)


def run(spec: SearchSpec, clock: Clock) -> "TestMetrics":
    """Search, finals, test, export; raises `UserError` before any worker starts if something given is wrong."""
    from searchspace.cluster import connected
    from searchspace.study import create_study, flush_study
    from searchspace.tracking import tracked
    from trainables.data.store import prepare

    preflight.check_name(spec)
    data = prepare(spec.data, clock.say)
    clock.say(describe_data(data))
    plan = None if spec.address else make_plan(spec, data, preflight.local_resources(), clock.say)
    with connected(spec.address) as resources:
        plan = plan or make_plan(spec, data, resources, clock.say)
        study = create_study(spec)
        spec.folder.mkdir(parents=True, exist_ok=True)
        save_record(spec.folder, spec, gather_facts() | plan.facts)  # first of all: whoever looks at a search needs it
        with tracked(spec, clock.say):
            try:
                metrics = _search_and_prove(spec, plan, study, clock)
            finally:
                flush_study(study)  # others read it from here on
            (spec.folder / "leaderboard.csv").write_text(to_text(rank_trials(study), "csv"))
            clock.say("exporting the winner to ONNX")
            parity = export_winner(spec.folder)
    _print_end(spec, study, metrics, describe_export(spec.folder, parity))
    return metrics


def _search_and_prove(spec: SearchSpec, plan: Plan, study: "optuna.Study", clock: Clock) -> "TestMetrics":
    """Everything that needs gangs."""
    from searchspace.finals import run_finals
    from searchspace.search import run_search
    from searchspace.searcher import StudySearcher
    from searchspace.winner import evaluate_winner, retrain_winner

    if plan.space is default_space:
        for values in default_trials(plan.task, spec.pins):
            study.enqueue_trial(values)
    progress = Progress(spec.trials, plan.shape.slots, clock)
    with gangs(plan, spec.folder, progress.warm) as pool:
        run_search(spec, StudySearcher(study, plan.space, plan.task, spec, progress), pool)
        clock.say(progress.account())
        extend_record(spec.folder, {"workers": [info.model_dump() for info in pool.ready()]})
        winner = run_finals(spec, study, pool, clock.say)[0]
        retrain_winner(spec, study, winner, pool, clock.say)
        clock.say("the test split is opened, once")
        metrics = evaluate_winner(spec, plan.data.classes, pool)
    write_page(spec, study, metrics)
    return metrics


@contextmanager
def gangs(plan: Plan, folder: Path, when_warm: Callable[[int, "GangInfo"], None]) -> Iterator["GangPool"]:
    """Gangs for a plan, sent home at the end; `when_warm` hears, from a thread, of each that can train."""
    from trainables.gang import GangPool

    pool = GangPool(plan.shape, plan.data, folder / "gangs", when_warm)
    try:
        yield pool
    finally:
        pool.close()
        shutil.rmtree(folder / "gangs", ignore_errors=True)


def describe_data(data: "DataSummary") -> str:
    """One line on the data, and what to know of its splits."""
    leaked = f"; {data.leaked} images occur in two splits" if data.leaked else ""
    shape = f"{data.height}x{data.width} {'grey' if data.channels == 1 else 'RGB'}"
    return (
        f"{data.name}: {len(data.classes)} classes, {shape}, "
        f"{data.train:,} train, {data.val:,} val, {data.test:,} test ({data.split}){leaked}"
    )


def _print_end(spec: SearchSpec, study: "optuna.Study", metrics: "TestMetrics", exported: str) -> None:
    print()
    print_board(spec, study, top=5)
    top5 = f", top-5 {metrics.top5:.2%}" if metrics.top5 is not None else ""
    shown = Path(os.path.relpath(spec.folder))
    print(
        f"\nwinner: {say_way(metric_of(spec), read_finalists(study)[0], metrics)}\n"
        f"test, once, {metrics.count:,} images: accuracy {metrics.accuracy:.2%} "
        f"(95 % interval {metrics.accuracy_low:.2%} to {metrics.accuracy_high:.2%}){top5}\n"
        f"  macro: precision {metrics.precision_macro:.4f}, recall {metrics.recall_macro:.4f}, "
        f"F1 {metrics.f1_macro:.4f}; calibration error {metrics.calibration_error:.4f}\n"
        f"model: {exported}\n"
        f"page: {shown / 'winner' / PAGE}\n"
        f"next: python -m searchspace.leaderboard {shown}"
    )


if __name__ == "__main__":
    from searchspace.command import run_command

    run_command(from_records(main, SearchSpec))
