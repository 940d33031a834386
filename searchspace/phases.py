"""What a search needs gangs for, one phase after another: search, finals, the winner's training, its only test."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from searchspace.boards.trials import describe_trial, rank_trials
from searchspace.feasible import draw_sample
from searchspace.gate import Gate
from searchspace.interruption import Interruption
from searchspace.plan import Plan, gangs
from searchspace.progress.account import Account, to_all
from searchspace.progress.clock import Clock
from searchspace.refusals import describe_refusals
from searchspace.spec import SearchSpec, extend_record

if TYPE_CHECKING:
    import optuna

    from searchspace.forecast.live import Foresight
    from searchspace.proof.verdict import Finalist
    from searchspace.searcher import Surroundings
    from trainables.gang import GangPool
    from trainables.home.mirror import Mirror
    from trainables.metrics import TestMetrics


@dataclass(frozen=True)
class UnderWay:
    """What is there once the cluster is."""

    spec: SearchSpec
    plan: Plan
    gate: Gate
    student_gate: Gate
    clock: Clock
    interruption: Interruption
    """Entered."""
    mirror: "Mirror"
    """Of the search's folder."""


def search_and_prove(under_way: UnderWay, study: "optuna.Study", foresight: "Foresight") -> "TestMetrics":
    """Everything that needs gangs."""
    from searchspace.proof.distil import evaluate_student
    from searchspace.proof.finals import run_finals
    from searchspace.proof.winner import evaluate_winner, retrain_winner
    from searchspace.searcher import Surroundings

    spec, plan, clock, interruption = under_way.spec, under_way.plan, under_way.clock, under_way.interruption
    account = Account(spec, plan.shape.slots, clock)
    account.look_back(rank_trials(study))
    account.left, account.describe = foresight.left, partial(describe_trial, study)
    follower = clock.follow(account)
    warm = to_all(follower.warm, foresight.warm)
    with gangs(plan, under_way.mirror, warm, interruption, clock.say) as pool:
        foresight.look_back()
        reach = pool.is_reachable

        def stop() -> bool:
            return interruption.is_asked() or not pool.has_slots

        around = Surroundings(plan.shape.slots, to_all(follower, foresight), stop, reach, pool.let_go)
        _search(under_way, study, pool, around)
        interruption.check()
        pool.check_slots()
        foresight.mark("search")
        clock.conclude()
        clock.say(account.in_words())
        if left_out := describe_refusals(study.get_trials(deepcopy=False)):
            clock.say(left_out)
        _say_audit(study, clock)
        extend_record(spec.folder, {"workers": [info.model_dump() for info in pool.known()]})
        winner = run_finals(spec, study, pool, clock)[0]
        retrain_winner(spec, study, winner, pool, clock)
        if spec.distil:
            _distil(under_way, study, winner, pool)
        foresight.mark("finals")
        interruption.check()
        clock.say("the test split is opened, once")
        clock.step("test", 0, 0)
        metrics = evaluate_winner(spec, plan.data.classes, pool)
        evaluate_student(spec, plan.data.classes, pool)
    return metrics


def _search(under_way: UnderWay, study: "optuna.Study", pool: "GangPool", around: "Surroundings") -> None:
    from searchspace.asking import Asker
    from searchspace.search import run_search
    from searchspace.searcher import StudySearcher

    spec, plan = under_way.spec, under_way.plan
    rule = plan.new_rule()
    asker = Asker(study, plan.space, plan.task, spec, under_way.gate)
    run_search(spec, StudySearcher(study, asker, rule, spec, around), rule, pool)


def _distil(under_way: UnderWay, study: "optuna.Study", winner: "Finalist", pool: "GangPool") -> None:
    from searchspace.proof.distil import find_student, train_student

    spec, plan, clock = under_way.spec, under_way.plan, under_way.clock
    starts, drawn = draw_sample(spec, plan.space, plan.task)
    student = find_student(spec, study, winner, starts + drawn, under_way.student_gate, clock)
    if student is not None:
        train_student(spec, student, pool, clock)


def _say_audit(study: "optuna.Study", clock: Clock) -> None:
    from searchspace.proof.audit import read_audit

    if audit := read_audit(study):
        clock.say(audit.in_words())
