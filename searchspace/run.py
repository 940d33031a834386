"""The one command: `python -m searchspace.run --trials 64` searches, proves, retrains, tests and exports."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchspace import preflight
from searchspace.export import describe as describe_export
from searchspace.export import export_winner
from searchspace.leaderboard import print_board, rank_trials, to_text
from searchspace.options import with_options
from searchspace.progress import Clock, Progress, to_all
from searchspace.record import gather_facts
from searchspace.spaces import default_space, default_trials
from searchspace.spec import RunOptions, SearchSpec, extend_record, load_spec, make_spec, parse_record, save_record
from trainables.errors import UserError

if TYPE_CHECKING:
    import optuna

    from searchspace.forecast.live import Foresight
    from searchspace.spaces import Space, Task
    from searchspace.spec import SamplerName
    from searchspace.stopping.rule import Rule
    from trainables.data.summary import DataSummary
    from trainables.gang import GangPool
    from trainables.mailbox import GangInfo
    from trainables.metrics import TestMetrics
    from trainables.shape import GangShape

Say = Callable[[str], None]


@with_options(SearchSpec, RunOptions)
def main(**options: Any) -> None:
    """Find the best image classifier: search, retrain the finalists, test the winner once, export it.

    Example: python -m searchspace.run --data path/to/images --trials 64 --time-budget 1h
    """
    errand = parse_record(RunOptions, {name: options.pop(name) for name in RunOptions.model_fields})
    if errand.resume or errand.revive is not None:
        revive(errand, str(options["results"]), Clock())
    elif errand.dry_run:
        dry_run(make_spec(**options), errand.price_per_hour, Clock())
    else:
        run(make_spec(**options), Clock())


@dataclass(frozen=True)
class Plan:
    """What the preflight found: all that the search needs to know besides its specification."""

    data: "DataSummary"
    task: "Task"
    space: "Space"
    sampler: "SamplerName"
    rule: "Rule"
    shape: "GangShape"

    @property
    def facts(self) -> dict[str, Any]:
        """What `search.json` keeps of it."""
        gangs = self.shape.model_dump()
        return {"data": self.data.model_dump(), "models": self.task.models, "sampler": self.sampler, "gangs": gangs}


def make_plan(spec: SearchSpec, data: "DataSummary", resources: Mapping[str, float], say: Say) -> Plan:
    """Check everything against the cluster's `resources`; raises `UserError` for what cannot work."""
    from searchspace.sampling.samplers import suiting
    from searchspace.stopping.registry import make_rule
    from searchspace.stopping.rung import rungs
    from trainables.shape import GangShape

    slots, gpus = preflight.count_slots(spec, resources)
    models = preflight.choose_models(spec, gpus > 0, say)
    task = preflight.make_task(data, models, gpus > 0)
    space, drawn = preflight.check_space(spec, task)
    sampler = suiting(drawn, spec.trials) if spec.sampler == "auto" else spec.sampler
    levels = rungs(spec.grace_epochs, spec.reduction_factor, spec.max_epochs)
    rule = make_rule(spec.scheduler, spec.budget_unit, levels, spec.reduction_factor)
    shape = GangShape(
        slots=slots, workers=spec.workers_per_trial, cpus=spec.cpus_per_worker, gpus=gpus,
        precision=spec.precision, memory_gb=spec.memory_gb,
    )  # fmt: skip
    return Plan(data, task, space, sampler, rule, shape)


@contextmanager
def planned(spec: SearchSpec, clock: Clock) -> Iterator[Plan]:
    """Data, plan and Ray; raises `UserError` before any worker starts if something given is wrong."""
    from searchspace.cluster import connected
    from trainables.data.store import prepare

    preflight.check_name(spec)
    data = prepare(spec.data, clock.say)
    clock.say(describe_data(data))
    plan = None if spec.address else make_plan(spec, data, preflight.local_resources(), clock.say)
    with connected(spec.address) as resources:
        yield plan or make_plan(spec, data, resources, clock.say)


def run(spec: SearchSpec, clock: Clock) -> "TestMetrics":
    """Search, finals, test, export; raises `UserError` before any worker starts if something given is wrong."""
    from searchspace.forecast.live import Foresight
    from searchspace.study import flush_study
    from searchspace.tracking import tracked

    with planned(spec, clock) as plan:
        study = _begin_study(spec, plan)
        spec.folder.mkdir(parents=True, exist_ok=True)
        save_record(spec.folder, spec, gather_facts() | plan.facts)  # first of all: whoever looks at a search needs it
        foresight = Foresight(spec, plan.task, plan.shape, study, clock)
        with tracked(spec, clock.say):
            try:
                metrics = _search_and_prove(spec, plan, study, foresight)
            finally:
                flush_study(study)  # others read it from here on
            (spec.folder / "leaderboard.csv").write_text(to_text(rank_trials(study), "csv"))
            clock.say("exporting the winner to ONNX")
            parity = export_winner(spec.folder)
            forecasts = foresight.close()
    _print_end(spec, study, metrics, [f"model: {describe_export(spec.folder, parity)}", *forecasts])
    return metrics


def dry_run(spec: SearchSpec, price: float, clock: Clock) -> None:
    """Time some configurations of each model on the gangs, and print what the search will take; leaves no results."""
    from searchspace.forecast.dry_run import conclude, scratch_folder
    from searchspace.forecast.probing import draw_probes, measure

    with planned(spec, clock) as plan, scratch_folder(spec) as folder:
        starts = default_trials(plan.task, spec.pins) if plan.space is default_space else []
        with gangs(plan, folder, lambda _slot, _info: None) as pool:
            measured = measure(draw_probes(plan.space, plan.task, spec, starts), spec, pool, folder, clock)
    conclude(measured, spec, plan.task, plan.shape, price)


def revive(errand: RunOptions, results: str, clock: Clock) -> None:
    """Train a stopped trial of an earlier search on to its end; raises `UserError` where that cannot be."""
    from searchspace import revive as reviving
    from searchspace.cluster import connected
    from searchspace.study import load_study
    from trainables.data.store import prepare

    if not errand.resume or errand.revive is None:
        raise UserError("--resume NAME and --revive TRIAL: work together only; name a search and a stopped trial of it")
    spec = load_spec(Path(results) / errand.resume).model_copy(update={"results": results, "max_concurrent": 1})
    data = prepare(spec.data, clock.say)
    reviving.check_data(spec, data)
    reviving.choose_revived(load_study(spec, spec.folder), spec, errand.revive)
    with connected(spec.address) as resources:
        plan = make_plan(spec, data, resources, clock.say)
        with gangs(plan, spec.folder, lambda slot, _info: clock.say(f"gang {slot} warm")) as pool:
            revived = reviving.revive(spec, errand.revive, pool, clock)
    print(reviving.describe(load_study(spec, spec.folder), revived))


def _begin_study(spec: SearchSpec, plan: Plan) -> "optuna.Study":
    """A new study, its first trials waiting in it: the best of earlier searches, then the models' defaults."""
    from searchspace.sampling.samplers import make_sampler
    from searchspace.sampling.warm_start import earlier_starts, earlier_trials
    from searchspace.study import create_study

    starts = earlier_starts(spec.warm_start, spec.pins)
    if plan.space is default_space:
        starts += default_trials(plan.task, spec.pins)
    earlier = earlier_trials(spec, plan.data.fingerprint)
    study = create_study(spec, make_sampler(spec, plan.sampler, earlier, plan.shape.slots))
    for values in starts[: spec.trials]:
        study.enqueue_trial(values)
    return study


def _search_and_prove(spec: SearchSpec, plan: Plan, study: "optuna.Study", foresight: "Foresight") -> "TestMetrics":
    """Everything that needs gangs."""
    from searchspace.asking import Asker
    from searchspace.audit import read_audit
    from searchspace.finals import evaluate_winner, run_finals
    from searchspace.search import run_search
    from searchspace.searcher import StudySearcher

    clock = foresight.clock
    progress = Progress(spec.trials, plan.shape.slots, clock)
    asker = Asker(study, plan.space, plan.task, spec, lambda _trial, _config: "")
    searcher = StudySearcher(study, asker, plan.rule, spec, plan.shape.slots, to_all(progress, foresight))
    with gangs(plan, spec.folder, to_all(progress.warm, foresight.warm)) as pool:
        foresight.look_back()
        run_search(spec, searcher, plan.rule, pool)
        foresight.mark("search")
        clock.say(progress.account())
        if audit := read_audit(study):
            clock.say(audit.in_words())
        extend_record(spec.folder, {"workers": [info.model_dump() for info in pool.ready()]})
        run_finals(spec, study, pool, clock.say)
        foresight.mark("finals")
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


def _print_end(spec: SearchSpec, study: "optuna.Study", metrics: "TestMetrics", said: Sequence[str]) -> None:
    print()
    print_board(spec, study, top=5)
    top5 = f", top-5 {metrics.top5:.2%}" if metrics.top5 is not None else ""
    shown = Path(os.path.relpath(spec.folder))
    print(
        f"\ntest, once, {metrics.count:,} images: accuracy {metrics.accuracy:.2%} "
        f"(95 % interval {metrics.accuracy_low:.2%} to {metrics.accuracy_high:.2%}){top5}\n"
        f"  macro: precision {metrics.precision_macro:.4f}, recall {metrics.recall_macro:.4f}, "
        f"F1 {metrics.f1_macro:.4f}; calibration error {metrics.calibration_error:.4f}\n"
        + "\n".join(said)
        + f"\nnext: python -m searchspace.leaderboard {shown}"
    )


if __name__ == "__main__":
    from searchspace.command import run_command

    run_command(main)
