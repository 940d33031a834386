"""What Ray Tune sees of a search: the engine's suggestions and decisions, and nothing else."""

from types import SimpleNamespace

import pytest

from searchspace.engine.tune_adapter import EngineScheduler, EngineSearcher
from trainables.config import Assignment, Decision, EpochReport, TrialConfig

TASK = Assignment(trial="trial-0", kind="search", config=TrialConfig(), seed=0, max_epochs=9, rungs=(1,), folder="f")


class Engine:
    """An engine with one trial, which decides as it is told."""

    def __init__(self):
        self.is_idle, self.heard, self.lost, self.decision = False, [], [], Decision.CONTINUE
        self.is_stopping = False

    def suggest(self):
        return None if self.is_idle or self.heard else TASK

    def on_report(self, report):
        self.heard.append(report)
        return self.decision

    def on_lost(self, name):
        self.lost.append(name)


@pytest.fixture
def adapter():
    engine, sent = Engine(), []
    broker = SimpleNamespace(decide=SimpleNamespace(remote=lambda *message: sent.append(message)))
    searcher = EngineSearcher(engine, slots=2)
    return SimpleNamespace(
        engine=engine, searcher=searcher, scheduler=EngineScheduler(engine, searcher, broker), sent=sent
    )


def report(adapter, epoch, status="running"):
    result = {"report": EpochReport(trial="trial-0", epoch=epoch, status=status).model_dump_json()}
    decided = adapter.scheduler.on_trial_result(None, SimpleNamespace(trial_id="a"), result)
    adapter.searcher.on_trial_result("a", result)
    return decided


def test_tune_gets_assignments_until_the_engine_is_idle(adapter):
    config = adapter.searcher.suggest("a")
    assert (config["preferred_slot"], Assignment.model_validate_json(config["assignment"])) == (0, TASK)
    adapter.engine.heard.append("busy")
    assert adapter.searcher.suggest("b") is None
    adapter.engine.is_idle = True
    assert adapter.searcher.suggest("b") == "FINISHED"


@pytest.mark.parametrize("decision", Decision)
def test_each_report_reaches_the_engine_once_and_its_decision_the_gang(adapter, decision):
    adapter.searcher.suggest("a")
    adapter.engine.decision = decision
    assert report(adapter, 1) == ("CONTINUE" if decision is Decision.CONTINUE else "STOP")
    assert [heard.epoch for heard in adapter.engine.heard] == [1]
    assert adapter.sent == [("trial-0", 1, decision, decision is Decision.STOP)]
    adapter.searcher.on_trial_complete("a", {"report": "the same one again"})
    assert (len(adapter.engine.heard), adapter.engine.lost) == (1, [])


def test_a_trial_whose_actor_died_is_lost_to_the_engine(adapter):
    adapter.searcher.suggest("a")
    adapter.searcher.on_trial_complete("a", None, error=True)
    assert adapter.engine.lost == ["trial-0"]


def test_no_trial_is_suggested_before_tune_is_done_with_the_actor_of_an_ended_one(adapter):
    """The engine is done with a trial at its last report; Tune would start another actor for the next one then."""
    for trial_id in ("a", "b"):
        assert adapter.searcher.suggest(trial_id)["assignment"]
    assert adapter.searcher.suggest("c") is None
    adapter.searcher.on_trial_complete("a")
    assert adapter.searcher.suggest("c")["assignment"]
