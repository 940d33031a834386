"""The one command: `python -m searchspace.run --trials 64` searches, proves, retrains, tests and exports."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from searchspace import preflight
from searchspace.export import describe as describe_export
from searchspace.export import export_winner
from searchspace.leaderboard import print_board, rank_trials, to_text
from searchspace.progress import Clock, Progress
from searchspace.record import gather_facts
from searchspace.spaces import default_space, default_trials
from searchspace.spec import SearchSpec, extend_record, make_spec, parse_duration, parse_pins, save_record

if TYPE_CHECKING:
    import optuna

    from searchspace.spaces import Space, Task
    from trainables.data.summary import DataSummary
    from trainables.gang import GangPool
    from trainables.mailbox import GangInfo
    from trainables.metrics import TestMetrics
    from trainables.shape import GangShape

Say = Callable[[str], None]
WHAT, HOW_LONG, WHERE, RECORD = "What to search", "How long", "Where it runs", "What is kept"
DEFAULT = SearchSpec(name="default")


def _option(text: str, panel: str, *names: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=panel)


def main(  # noqa: PLR0913, PLR0917  # a command line has as many parameters as options
    data: Annotated[
        str, _option("digits, fashion-mnist, cifar10, cifar100, or a folder of images or parquet files.", WHAT)
    ] = DEFAULT.data,
    models: Annotated[
        str, _option("Comma-separated: convnet, resnet, timm names, torchvision/NAME. Default: what suits here.", WHAT)
    ] = "",
    space: Annotated[str, _option("Your own search space, FILE.py:FUNCTION.", WHAT)] = DEFAULT.space,
    set_: Annotated[list[str] | None, _option("Pin a hyperparameter, name=value; repeatable.", WHAT, "--set")] = None,
    seed: Annotated[int, _option("Seed of everything random.", WHAT)] = DEFAULT.seed,
    trials: Annotated[int, _option("Configurations in all.", HOW_LONG)] = DEFAULT.trials,
    max_epochs: Annotated[int, _option("Full length of a trial, in epochs.", HOW_LONG)] = DEFAULT.max_epochs,
    grace_epochs: Annotated[int, _option("Epochs before the first stop.", HOW_LONG)] = DEFAULT.grace_epochs,
    reduction_factor: Annotated[
        int, _option("One trial in so many goes on at each rung.", HOW_LONG)
    ] = DEFAULT.reduction_factor,
    finalists: Annotated[int, _option("Best trials trained again from fresh seeds.", HOW_LONG)] = DEFAULT.finalists,
    time_budget: Annotated[
        str, _option("Longest search, such as 90s, 30m or 2h; the finals come after.", HOW_LONG)
    ] = "",
    workers_per_trial: Annotated[int, _option("DDP workers of one trial.", WHERE)] = DEFAULT.workers_per_trial,
    cpus_per_worker: Annotated[float, _option("Cores of each worker.", WHERE)] = DEFAULT.cpus_per_worker,
    gpus_per_worker: Annotated[
        float | None,
        _option("GPUs of each worker; a fraction packs trials on one. Default: 1 where there are any.", WHERE),
    ] = DEFAULT.gpus_per_worker,
    precision: Annotated[
        str, _option("auto (bf16 where the hardware has it), bf16 or fp32.", WHERE)
    ] = DEFAULT.precision,
    memory_gb: Annotated[
        float, _option("Image memory of each worker, in GB; 0 takes a share of what is free.", WHERE)
    ] = DEFAULT.memory_gb,
    max_concurrent: Annotated[
        int, _option("Trials at a time; 0 takes what the cluster holds.", WHERE)
    ] = DEFAULT.max_concurrent,
    address: Annotated[str, _option("Ray cluster, such as auto; empty starts one here.", WHERE)] = DEFAULT.address,
    name: Annotated[str, _option("Name of the search. Default: data and time.", RECORD)] = "",
    results: Annotated[str, _option("Folder of all searches.", RECORD)] = DEFAULT.results,
    storage: Annotated[
        str, _option("Optuna storage URL. Default: a journal file in the search's folder.", RECORD)
    ] = DEFAULT.storage,
) -> None:
    """Find the best image classifier: search, retrain the finalists, test the winner once, export it.

    Example: python -m searchspace.run --data path/to/images --trials 64 --time-budget 1h
    """
    given = locals()
    parsed: dict[str, Any] = {
        "models": tuple(filter(None, models.split(","))),
        "pins": parse_pins(set_ or []),
        "time_budget": parse_duration(time_budget) if time_budget else 0.0,
        "name": name or f"{Path(data).resolve().name}-{datetime.now():%Y%m%d-%H%M%S}",
    }
    run(make_spec(**{key: given[key] for key in SearchSpec.model_fields if key != "pins"} | parsed), Clock())


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
    from searchspace.finals import evaluate_winner, run_finals
    from searchspace.search import run_search
    from searchspace.searcher import StudySearcher

    if plan.space is default_space:
        for values in default_trials(plan.task, spec.pins):
            study.enqueue_trial(values)
    progress = Progress(spec.trials, plan.shape.slots, clock)
    with gangs(plan, spec.folder, progress.warm) as pool:
        run_search(spec, StudySearcher(study, plan.space, plan.task, spec, progress), pool)
        clock.say(progress.account())
        extend_record(spec.folder, {"workers": [info.model_dump() for info in pool.ready()]})
        run_finals(spec, study, pool, clock.say)
        clock.say("the test split is opened, once")
        return evaluate_winner(spec, plan.data.classes, pool)


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
        f"\ntest, once, {metrics.count:,} images: accuracy {metrics.accuracy:.2%} "
        f"(95 % interval {metrics.accuracy_low:.2%} to {metrics.accuracy_high:.2%}){top5}\n"
        f"  macro: precision {metrics.precision_macro:.4f}, recall {metrics.recall_macro:.4f}, "
        f"F1 {metrics.f1_macro:.4f}; calibration error {metrics.calibration_error:.4f}\n"
        f"model: {exported}\n"
        f"next: python -m searchspace.leaderboard {shown}"
    )


if __name__ == "__main__":
    from searchspace.command import run_command

    run_command(main)
