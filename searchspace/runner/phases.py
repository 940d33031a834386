"""What a search needs gangs for, one phase after another: search, finals, the winner's training, its only test."""

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from searchspace.cli.interruption import Interruption
from searchspace.constraints.constraints import ConstraintChecker
from searchspace.constraints.feasibility import draw_sample
from searchspace.engine.refusals import describe_refusals
from searchspace.preparation.plan import Plan, gangs
from searchspace.progress.console_reporter import Clock
from searchspace.progress.progress_tracker import Account, to_all
from searchspace.reporting.tables.trials import describe_trial, rank_trials
from searchspace.spec import SearchSpec, extend_record

if TYPE_CHECKING:
    import optuna

    from searchspace.engine.searcher import Surroundings
    from searchspace.finals.finalist import Finalist
    from searchspace.forecast.live_forecast import LiveForecast
    from trainables.metrics.class_metrics import TestMetrics
    from trainables.storage.folder_sync import FolderSync
    from trainables.workers.gang_pool import GangPool

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class UnderWay:
    """What is there once the cluster is."""

    spec: SearchSpec
    plan: Plan
    gate: ConstraintChecker
    student_gate: ConstraintChecker
    clock: Clock
    interruption: Interruption
    """Entered."""
    mirror: "FolderSync"
    """Of the search's folder."""


def search_and_prove(under_way: UnderWay, study: "optuna.Study", live_forecast: "LiveForecast") -> "TestMetrics":
    """Everything that needs gangs."""
    from searchspace.engine.searcher import Surroundings
    from searchspace.finals.finals import run_finals
    from searchspace.finals.train_student import evaluate_student
    from searchspace.finals.winner import evaluate_winner, retrain_winner

    spec, plan, clock, interruption = under_way.spec, under_way.plan, under_way.clock, under_way.interruption
    account = Account(spec, plan.shape.slots, clock)
    account.look_back(rank_trials(study))
    account.left, account.describe = live_forecast.remaining_seconds, partial(describe_trial, study)
    follower = clock.follow(account)
    warm = to_all(follower.warm, live_forecast.on_gang_ready)
    with gangs(plan, under_way.mirror, warm, interruption) as pool:
        live_forecast.forecast_from_dry_run()
        reach = pool.is_reachable

        def stop() -> bool:
            return interruption.is_asked() or not pool.has_slots

        around = Surroundings(plan.shape.slots, to_all(follower, live_forecast), stop, reach, pool.let_go)
        _search(under_way, study, pool, around)
        interruption.check()
        pool.check_slots()
        live_forecast.end_phase("search")
        clock.conclude()
        logger.info(account.in_words())
        if left_out := describe_refusals(study.get_trials(deepcopy=False)):
            logger.info(left_out)
        _log_audit(study)
        extend_record(spec.folder, {"workers": [info.model_dump() for info in pool.known()]})
        winner = run_finals(spec, study, pool, clock)[0]
        retrain_winner(spec, study, winner, pool, clock)
        if spec.distil:
            _distil(under_way, study, winner, pool)
        live_forecast.end_phase("finals")
        interruption.check()
        logger.info("the test split is opened, once")
        clock.step("test", 0, 0)
        metrics = evaluate_winner(spec, plan.data.classes, pool)
        evaluate_student(spec, plan.data.classes, pool)
    return metrics


def _search(under_way: UnderWay, study: "optuna.Study", pool: "GangPool", around: "Surroundings") -> None:
    from searchspace.engine.search import run_search
    from searchspace.engine.searcher import StudySearcher
    from searchspace.engine.suggest import Asker

    spec, plan = under_way.spec, under_way.plan
    rule = plan.new_rule()
    asker = Asker(study, plan.space, plan.task, spec, under_way.gate)
    run_search(spec, StudySearcher(study, asker, rule, spec, around), rule, pool)


def _distil(under_way: UnderWay, study: "optuna.Study", winner: "Finalist", pool: "GangPool") -> None:
    from searchspace.finals.train_student import find_student, train_student

    spec, plan, clock = under_way.spec, under_way.plan, under_way.clock
    starts, drawn = draw_sample(spec, plan.space, plan.task)
    student = find_student(spec, study, winner, starts + drawn, under_way.student_gate, clock)
    if student is not None:
        train_student(spec, student, pool, clock)


def _log_audit(study: "optuna.Study") -> None:
    from searchspace.finals.audit import read_audit

    if audit := read_audit(study):
        logger.info(audit.describe())
