"""The one command: `python -m searchspace.run --trials 64` searches, proves, retrains, tests and exports."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchspace import preflight
from searchspace.boards.finalists import read_finalists
from searchspace.boards.table import to_text
from searchspace.boards.trials import rank_trials
from searchspace.export import describe as describe_export
from searchspace.export import export_winner
from searchspace.feasible import check_limits
from searchspace.gate import Gate
from searchspace.leaderboard import print_board
from searchspace.options import with_options
from searchspace.plan import Plan, gangs, make_plan
from searchspace.progress import Clock, Progress, to_all
from searchspace.proof.page import PAGE, write_page
from searchspace.proof.wording import say_way
from searchspace.record import gather_facts
from searchspace.spaces import default_space, default_trials, is_unbalanced
from searchspace.spec import RunOptions, SearchSpec, extend_record, load_spec, make_spec, parse_record, save_record
from trainables.errors import UserError

if TYPE_CHECKING:
    import optuna

    from searchspace.forecast.live import Foresight
    from trainables.data.summary import DataSummary
    from trainables.metrics import TestMetrics

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


def run(spec: SearchSpec, clock: Clock) -> "TestMetrics":
    """Search, finals, test, export; raises `UserError` before any worker starts if something given is wrong."""
    from searchspace.forecast.live import Foresight
    from searchspace.study import flush_study
    from searchspace.tracking import tracked

    with _planned(spec, clock.say) as (plan, gate):
        study = _begin_study(spec, plan)
        spec.folder.mkdir(parents=True, exist_ok=True)
        save_record(spec.folder, spec, gather_facts() | plan.facts)  # first of all: whoever looks at a search needs it
        foresight = Foresight(spec, plan.task, plan.shape, study, clock)
        with tracked(spec, clock.say):
            try:
                metrics = _search_and_prove(spec, plan, study, gate, foresight)
            finally:
                flush_study(study)  # others read it from here on
            (spec.folder / "leaderboard.csv").write_text(to_text(rank_trials(study), "csv"))
            clock.say("exporting the winner to ONNX")
            shipped = export_winner(spec.folder)
            forecasts = foresight.close()
    _print_end(spec, study, metrics, [f"model: {describe_export(spec, spec.folder, shipped)}", *forecasts])
    return metrics


def dry_run(spec: SearchSpec, price: float, clock: Clock) -> None:
    """Time some configurations of each model on the gangs, and print what the search will take; leaves no results."""
    from searchspace.forecast.dry_run import conclude, scratch_folder
    from searchspace.forecast.probing import draw_probes, measure

    with _planned(spec, clock.say) as (plan, gate), scratch_folder(spec) as folder:
        starts = default_trials(plan.task, spec.pins) if plan.space is default_space else []
        probes = draw_probes(plan.space, plan.task, spec, starts, gate.refusal)
        with gangs(plan, folder, lambda _slot, _info: None) as pool:
            measured = measure(probes, spec, pool, folder, clock)
    conclude(measured, spec, plan.task, plan.shape, price)


@contextmanager
def _planned(spec: SearchSpec, say: Say) -> Iterator[tuple[Plan, Gate]]:
    """The plan, on a connected cluster; what this machine alone can tell to be wrong is told before that."""
    from searchspace.cluster import connected
    from trainables.data.store import prepare

    def checked(resources: Mapping[str, float]) -> Plan:
        plan = make_plan(spec, data, resources, say, gate.latencies)
        check_limits(gate, spec, plan.space, plan.task, say)
        return plan

    preflight.check_name(spec)
    data = prepare(spec.data, say)
    say(describe_data(data))
    with Gate(spec, data) as gate:
        early = None if spec.address else checked(preflight.local_resources())
        with connected(spec.address) as resources:
            yield early or checked(resources), gate


def revive(errand: RunOptions, results: str, clock: Clock) -> None:
    """Train a stopped trial of an earlier search on to its end; raises `UserError` where that cannot be."""
    from searchspace import revive as reviving
    from searchspace.cluster import connected
    from searchspace.study import load_study
    from trainables.data.store import prepare
    from trainables.ownership import check_owned

    if not errand.resume or errand.revive is None:
        raise UserError("--resume NAME and --revive TRIAL: work together only; name a search and a stopped trial of it")
    check_owned(Path(results) / errand.resume)  # what lies there names code that is run
    spec = load_spec(Path(results) / errand.resume).model_copy(update={"results": results, "max_concurrent": 1})
    data = prepare(spec.data, clock.say)
    reviving.check_data(spec, data)
    reviving.choose_revived(load_study(spec, spec.folder), spec, errand.revive)
    with connected(spec.address) as resources:
        plan = make_plan(spec, data, resources, clock.say, {})
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


def _search_and_prove(
    spec: SearchSpec, plan: Plan, study: "optuna.Study", gate: Gate, foresight: "Foresight"
) -> "TestMetrics":
    """Everything that needs gangs."""
    from searchspace.asking import Asker
    from searchspace.proof.audit import read_audit
    from searchspace.proof.finals import run_finals
    from searchspace.proof.winner import evaluate_winner, retrain_winner
    from searchspace.search import run_search
    from searchspace.searcher import StudySearcher

    clock = foresight.clock
    progress = Progress(spec.trials, plan.shape.slots, spec.metric, clock)
    asker = Asker(study, plan.space, plan.task, spec, gate)
    searcher = StudySearcher(study, asker, plan.rule, spec, plan.shape.slots, to_all(progress, foresight))
    with gangs(plan, spec.folder, to_all(progress.warm, foresight.warm)) as pool:
        foresight.look_back()
        run_search(spec, searcher, plan.rule, pool)
        foresight.mark("search")
        clock.say(progress.account())
        if audit := read_audit(study):
            clock.say(audit.in_words())
        extend_record(spec.folder, {"workers": [info.model_dump() for info in pool.ready()]})
        winner = run_finals(spec, study, pool, clock.say)[0]
        retrain_winner(spec, study, winner, pool, clock.say)
        foresight.mark("finals")
        clock.say("the test split is opened, once")
        metrics = evaluate_winner(spec, plan.data.classes, pool)
    write_page(spec, study, metrics)
    return metrics


def describe_data(data: "DataSummary") -> str:
    """One line on the data, and what to know of its splits."""
    leaked = f"; {data.leaked} images occur in two splits" if data.leaked else ""
    fewest, most = min(data.counts, default=0), max(data.counts, default=0)
    uneven = f"; unbalanced: {fewest:,} to {most:,} training images a class" if is_unbalanced(data) else ""
    shape = f"{data.height}x{data.width} {'grey' if data.channels == 1 else 'RGB'}"
    return (
        f"{data.name}: {len(data.classes)} classes, {shape}, "
        f"{data.train:,} train, {data.val:,} val, {data.test:,} test ({data.split}){leaked}{uneven}"
    )


def _print_end(spec: SearchSpec, study: "optuna.Study", metrics: "TestMetrics", said: Sequence[str]) -> None:
    print()
    print_board(spec, study, top=5)
    top5 = f", top-5 {metrics.top5:.2%}" if metrics.top5 is not None else ""
    shown = Path(os.path.relpath(spec.folder))
    print(
        f"\nwinner: {say_way(spec.metric, read_finalists(study)[0], metrics)}\n"
        f"test, once, {metrics.count:,} images: accuracy {metrics.accuracy:.2%} "
        f"(95 % interval {metrics.accuracy_low:.2%} to {metrics.accuracy_high:.2%}){top5}\n"
        f"  macro: precision {metrics.precision_macro:.4f}, recall {metrics.recall_macro:.4f}, "
        f"F1 {metrics.f1_macro:.4f}; calibration error {metrics.calibration_error:.4f}\n"
        + "\n".join(said)
        + f"\npage: {shown / 'winner' / PAGE}\n"
        f"next: python -m searchspace.leaderboard {shown}"
    )


if __name__ == "__main__":
    from searchspace.command import run_command

    run_command(main)
