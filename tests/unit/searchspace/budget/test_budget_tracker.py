"""A budget followed through a command: replanned as phases end and costs become known."""

import logging
import math

import pytest

from searchspace.budget.allowance import Phase
from searchspace.budget.budget_tracker import BudgetTracker
from searchspace.budget.cost_estimates import TrialSeconds, Workload
from searchspace.budget.phase_times import PhaseStopwatch
from searchspace.budget.presets import PRESETS
from searchspace.budget.trial_costs import ReportTimes, TrainingCosts
from trainables.config import EpochReport

WORK = Workload(
    slots=2, student_share=0.0, train_images=1000, test_images=200, growth=1.25, is_pretrained=False,
    closing={Phase.TEST: 2.0, Phase.EXPORT: 30.0, Phase.REPORT: 3.0},
)  # fmt: skip


class Command:
    """A command whose clock the test moves."""

    def __init__(self, budget=600.0, earlier=0.0):
        self.now, self.saved = 5.0, []
        self.costs = TrainingCosts(max_epochs=10, finalists=3)
        times = PhaseStopwatch(lambda: self.now, earlier, self.saved.append)
        self.tracker = BudgetTracker(budget, PRESETS["balanced"].shares, WORK, self.costs, times)

    def report(self, number, score, seconds, epoch=10, status="complete", **more):
        report = EpochReport(
            trial=f"trial-{number}", epoch=epoch, score=score, total_seconds=seconds, status=status, **more
        )
        self.tracker("epoch", number, report)


def test_without_a_budget_everything_is_allowed_and_measured():
    command = Command(budget=math.inf)
    command.tracker.on_gang_ready(0, None)
    command.now = 50.0
    command.report(0, 0.5, 10.0)
    assert command.tracker.allowance(Phase.SEARCH) == math.inf
    assert command.tracker.has_time(1e9, 1e9)
    assert command.tracker.facts == {}
    assert command.tracker.describe() == []
    assert command.saved == []


def test_what_a_phase_does_not_use_the_search_gets_and_its_time_runs_out():
    command = Command()
    planned = command.tracker.plan().seconds[Phase.SEARCH]
    command.now = 8.0
    command.tracker.on_gang_ready(0, None)
    assert command.tracker.plan().seconds[Phase.SEARCH] > planned, "gangs were there sooner than expected"
    command.report(0, 0.5, 10.0)
    whole = command.tracker.allowance(Phase.SEARCH)
    command.now += 100.0
    assert command.tracker.allowance(Phase.SEARCH) == pytest.approx(whole - 100.0)
    assert command.tracker.has_time(1.0, whole - 101.0)
    assert not command.tracker.has_time(1.0, whole - 99.0)
    command.now += whole
    assert command.tracker.allowance(Phase.SEARCH) == 0.0


def test_a_costly_incumbent_takes_from_the_search_what_its_retraining_needs():
    command = Command()
    command.tracker.on_gang_ready(0, None)
    command.report(0, 0.5, 4.0)
    cheap = command.tracker.plan()
    command.report(1, 0.9, 100.0)
    dear = command.tracker.plan()
    assert dear.seconds[Phase.WINNER] == pytest.approx(125.0)
    assert dear.seconds[Phase.SEARCH] < cheap.seconds[Phase.SEARCH]
    assert dear.total == pytest.approx(600.0)


def test_a_trial_that_there_is_no_time_to_retrain_cannot_win():
    command = Command(budget=120.0)
    command.tracker.on_gang_ready(0, None)
    command.report(0, 0.9, 90.0)
    assert command.tracker.can_win(0), "there is no other"
    alone = command.tracker.allowance(Phase.SEARCH)
    assert alone > 0.0, "there may be others"
    command.report(1, 0.5, 4.0)
    assert not command.tracker.can_win(0)
    assert command.tracker.can_win(1)
    assert command.tracker.plan().seconds[Phase.WINNER] == pytest.approx(5.0)
    assert command.tracker.allowance(Phase.SEARCH) > alone
    command.now += 1000.0
    assert command.tracker.allowance(Phase.SEARCH) == 0.0
    command.tracker.end_phase(Phase.SEARCH)
    assert command.tracker.can_win(1)
    assert Command(budget=math.inf).tracker.can_win(0)


def test_the_search_may_train_one_trial_under_any_budget():
    command = Command(budget=1.0)
    command.tracker.on_gang_ready(0, None)
    command.now = 300.0
    assert command.tracker.allowance(Phase.SEARCH) > 0.0
    assert command.tracker.has_time(60.0, 600.0)
    command.report(0, 0.5, 4.0)
    assert command.tracker.allowance(Phase.SEARCH) == 0.0


def test_the_least_is_said_where_the_budget_is_below_it(caplog):
    caplog.set_level(logging.INFO)
    command = Command(budget=20.0)
    command.tracker.show_change()
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert f"--budget 20 s: the least is about {command.tracker.plan().least:.0f} s" in record.message


def test_the_plan_is_shown_again_only_where_it_changes_by_much(caplog):
    caplog.set_level(logging.INFO)
    command = Command()
    command.tracker.on_gang_ready(0, None)
    command.report(0, 0.5, 90.0)
    caplog.clear()
    command.report(1, 0.8, 92.0)
    assert caplog.records == []
    command.report(2, 0.9, 170.0)
    assert [line.message.partition(":")[0] for line in caplog.records] == ["budget 10 min"]
    assert command.tracker.facts["budget"]["plans"][-1]["winner"] == pytest.approx(212.5)


def test_phases_follow_each_other_and_their_seconds_add_up():
    command = Command()
    command.tracker.on_gang_ready(0, None)
    command.tracker.on_gang_ready(1, None)
    for phase in (Phase.SEARCH, Phase.FINALS, Phase.SEARCH, Phase.TEST, Phase.REPORT):
        command.now += 10.0
        command.tracker.end_phase(phase)
    took = command.tracker.facts["budget"]["took"]
    assert took == {"preparation": 5.0, "search": 10.0, "finals": 10.0, "winner": 20.0, "export": 10.0}
    assert "took 0.917 min" in command.tracker.describe()[0]


def test_what_earlier_parts_took_counts_and_what_is_spent_is_kept():
    command = Command(earlier=500.0)
    assert command.tracker.plan().total == pytest.approx(100.0)
    command.tracker.on_gang_ready(0, None)
    command.now = 20.0
    command.report(0, 0.5, 4.0)
    command.report(1, 0.5, 4.0)
    assert command.saved == [520.0], "not for every report"
    command.tracker.save_spent()
    assert command.saved == [520.0, 520.0]


def test_a_whole_training_is_set_up_once_and_shares_what_others_have_computed():
    costs = TrainingCosts(max_epochs=10, finalists=1, seeds=3)
    assert costs.seconds() is None
    costs.add(0, EpochReport(trial="trial-0", epoch=1, total_seconds=9.0, setup_seconds=6.0, shared_seconds=4.0))
    costs.add(0, EpochReport(trial="trial-0", epoch=2, total_seconds=12.0))
    assert costs.seconds() == TrialSeconds(winner=32.0, finals=3 * 32.0, longest=32.0)
    costs.add(1, EpochReport(trial="trial-1", epoch=10, score=0.9, total_seconds=2.0, status="complete"))
    assert costs.seconds() == TrialSeconds(winner=2.0, finals=2.0 + 3 * 32.0, longest=32.0), "no seed changes trial 1"
    costs.add(2, EpochReport(trial="trial-2", epoch=3, status="failed"))
    assert costs.best() == 1
    costs.set_winner([0, 1])
    assert costs.seconds().winner == 34.0


def test_a_kind_that_was_never_tried_is_expected_at_once():
    times = ReportTimes()
    first = EpochReport(
        trial="trial-0", epoch=1, seconds=50.0, total_seconds=90.0, setup_seconds=40.0, shared_seconds=30.0
    )
    times.add("scratch", first, 10)
    assert times.expected("scratch") == (60.0, 510.0)
    assert times.expected("frozen") == (0.0, 0.0)


def test_until_a_trial_is_complete_the_next_report_is_enough():
    command = Command()
    command.tracker.on_gang_ready(0, None)
    command.report(0, 0.5, 10.0, epoch=2, status="running")
    assert command.tracker.has_time(10.0, 10_000.0)
    command.report(1, 0.5, 10.0)
    assert not command.tracker.has_time(10.0, 10_000.0), "it could not be completed any more"
    assert command.tracker.has_time(10.0, 100.0)
