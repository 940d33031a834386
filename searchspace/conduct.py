"""Conducting a search: begun, or taken up where it stands, through to its winner, whatever is lost on the way."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from searchspace import preflight
from searchspace.afresh import begin_afresh
from searchspace.boards.table import to_text
from searchspace.boards.trials import rank_trials
from searchspace.cluster import connected, losses_told
from searchspace.doubtful import describe_skipped, keep_lists
from searchspace.export import Shipped, export_winner
from searchspace.feasible import check_limits
from searchspace.gate import Gate
from searchspace.interruption import Interruption, LostError
from searchspace.lock import locked
from searchspace.plan import Plan, gangs, make_plan
from searchspace.progress import Clock, Progress, to_all
from searchspace.proof.page import write_page
from searchspace.record import gather_facts
from searchspace.resume import (
    check_same_data,
    how_to_resume,
    is_done,
    put_finished,
    record_resumption,
    resume_arguments,
)
from searchspace.spaces import default_space, default_trials, is_unbalanced
from searchspace.spec import SearchSpec, extend_record, save_record

if TYPE_CHECKING:
    import optuna

    from searchspace.forecast.live import Foresight
    from searchspace.searcher import Surroundings
    from trainables.data.summary import DataSummary
    from trainables.gang import GangPool
    from trainables.metrics import TestMetrics

Say = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What a search came to."""

    study: "optuna.Study"
    metrics: "TestMetrics"
    """Of the winner on the test split."""
    shipped: Shipped
    """The exported winner."""
    forecasts: list[str]
    """A line on each forecast that was made."""


@dataclass(frozen=True)
class Ready:
    """What is there before any worker starts."""

    data: "DataSummary"
    gate: Gate
    plan: Callable[[Mapping[str, float]], Plan]
    """From the cluster's resources to the plan; made once."""


def conduct(spec: SearchSpec, clock: Clock, resumed: bool) -> Outcome:
    """Search, finals, test, export.

    Raises `UserError` before any worker starts if something given is wrong, `Interrupted` after a signal, and
    `LostError` if the cluster was lost too often: after these two the search can be resumed. Until then the command
    begins afresh, and resumes by itself.
    """
    with ExitStack() as held:
        if resumed:
            held.enter_context(locked(spec.folder))
        ready = held.enter_context(prepared(spec, clock.say))
        if resumed:
            check_same_data(spec, ready.data)
        with connected(spec.address) as resources:
            return _carry_through(spec, ready.plan(resources), ready.gate, clock, resumed, held)


@contextmanager
def prepared(spec: SearchSpec, say: Say) -> Iterator[Ready]:
    """Data and gate; and, on this machine alone, the plan: what is wrong is told before Ray starts."""
    from trainables.data.store import prepare

    data = prepare(spec.data, say, spec.on_bad_image)
    say(describe_data(data))
    if data.skipped:
        say(describe_skipped(data))
    made: list[Plan] = []

    def plan(resources: Mapping[str, float]) -> Plan:
        if not made:
            made.append(make_plan(spec, data, resources, say, gate.latencies))
            check_limits(gate, spec, made[0].space, made[0].task, say)
        return made[0]

    with Gate(spec, data) as gate:
        if not spec.address:
            plan(preflight.local_resources())
        yield Ready(data, gate, plan)


def _carry_through(spec: SearchSpec, plan: Plan, gate: Gate, clock: Clock, resumed: bool, held: ExitStack) -> Outcome:
    """Everything that a cluster is needed for, and what follows."""
    from searchspace.forecast.live import Foresight
    from searchspace.report.page import try_report
    from searchspace.study import STORAGE, flush_study, whole_url
    from searchspace.tracking import tracked

    if not resumed:
        held.enter_context(locked(spec.folder))
        save_record(spec.folder, spec, gather_facts() | plan.facts)  # first of all: whoever looks at it needs it
        keep_lists(plan.data, spec.folder)
    study = _take_up(spec, plan) if resumed else _begin(spec, plan)
    foresight = Foresight(spec, plan.task, plan.shape, study, clock, quiet=resumed)
    interruption = Interruption(clock.say, how_to_resume(spec))
    with interruption, tracked(spec, clock.say):
        try:
            with losses_told():
                metrics = _search_and_prove(spec, plan, study, gate, foresight, interruption)
        except LostError as error:
            interruption.check()
            flush_study(study)
            clock.say(f"warning: lost {error}; going on from what is recorded")
            secrets = {STORAGE: whole_url(spec.storage)} if spec.storage else {}  # never on a command line
            begin_afresh(resume_arguments(spec), secrets, error)
        finally:
            flush_study(study)  # others read it from here on
        (spec.folder / "leaderboard.csv").write_text(to_text(rank_trials(study), "csv"))
        clock.say("exporting the winner to ONNX")
        shipped = export_winner(spec.folder)
        forecasts = foresight.close()
        try_report(spec.folder, study, clock.say)
        put_finished(study, spec.trials)
        flush_study(study)
    return Outcome(study, metrics, shipped, forecasts)


def _begin(spec: SearchSpec, plan: Plan) -> "optuna.Study":
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


def _take_up(spec: SearchSpec, plan: Plan) -> "optuna.Study":
    """The study of a search that was begun, as it stands."""
    from searchspace.proof.winner import put_aside
    from searchspace.sampling.samplers import make_sampler
    from searchspace.sampling.warm_start import earlier_trials
    from searchspace.study import continue_study

    record_resumption(spec)
    earlier = earlier_trials(spec, plan.data.fingerprint)
    study = continue_study(spec, make_sampler(spec, plan.sampler, earlier, plan.shape.slots))
    if not is_done(study, spec.trials):
        put_aside(spec, study)
    return study


def _search_and_prove(
    spec: SearchSpec, plan: Plan, study: "optuna.Study", gate: Gate, foresight: "Foresight", interruption: Interruption
) -> "TestMetrics":
    """Everything that needs gangs."""
    from searchspace.proof.finals import run_finals
    from searchspace.proof.winner import evaluate_winner, retrain_winner
    from searchspace.searcher import Surroundings

    clock = foresight.clock
    progress = Progress(spec.trials, plan.shape.slots, spec.metric, clock)
    progress.look_back(rank_trials(study))
    with gangs(plan, spec.folder, to_all(progress.warm, foresight.warm), interruption) as pool:
        foresight.look_back()
        stop, reach = interruption.is_asked, pool.is_reachable
        around = Surroundings(plan.shape.slots, to_all(progress, foresight), stop, reach)
        _search(spec, plan, study, gate, pool, around)
        interruption.check()
        foresight.mark("search")
        clock.say(progress.account())
        _say_audit(study, clock.say)
        extend_record(spec.folder, {"workers": [info.model_dump() for info in pool.ready()]})
        winner = run_finals(spec, study, pool, clock.say)[0]
        retrain_winner(spec, study, winner, pool, clock.say)
        foresight.mark("finals")
        interruption.check()
        clock.say("the test split is opened, once")
        metrics = evaluate_winner(spec, plan.data.classes, pool)
    write_page(spec, study, metrics)
    return metrics


def _search(
    spec: SearchSpec, plan: Plan, study: "optuna.Study", gate: Gate, pool: "GangPool", around: "Surroundings"
) -> None:
    from searchspace.asking import Asker
    from searchspace.search import run_search
    from searchspace.searcher import StudySearcher

    rule = plan.new_rule()
    asker = Asker(study, plan.space, plan.task, spec, gate)
    run_search(spec, StudySearcher(study, asker, rule, spec, around), rule, pool)


def _say_audit(study: "optuna.Study", say: Say) -> None:
    from searchspace.proof.audit import read_audit

    if audit := read_audit(study):
        say(audit.in_words())


def describe_data(data: "DataSummary") -> str:
    """One line on the data, and what to know of its splits."""
    leaked = f"; {data.leaked:,} images occur in two splits (leaked-images.csv)" if data.leaked else ""
    fewest, most = min(data.counts, default=0), max(data.counts, default=0)
    uneven = f"; unbalanced: {fewest:,} to {most:,} training images a class" if is_unbalanced(data) else ""
    shape = f"{data.height}x{data.width} {'grey' if data.channels == 1 else 'RGB'}"
    return (
        f"{data.name}: {len(data.classes)} classes, {shape}, "
        f"{data.train:,} train, {data.val:,} val, {data.test:,} test ({data.split}){leaked}{uneven}"
    )
