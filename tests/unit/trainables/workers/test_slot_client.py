"""The decision on a trial is one message, sent only where a gang has to hear of it."""

from types import SimpleNamespace

import pytest

from trainables.config import Assignment, Decision, EpochReport, TrialConfig
from trainables.workers.slot_client import send_decision

TASK = Assignment(
    trial="t", kind="search", config=TrialConfig(), seed=0, max_epochs=9, rungs=(1, 3), folder="f"
)  # fmt: skip


@pytest.mark.parametrize(
    ("epoch", "status", "decision", "is_sent"),
    [
        (3, "running", Decision.CONTINUE, True), (2, "running", Decision.CONTINUE, False),
        (3, "running", Decision.PAUSE, True), (2, "running", Decision.STOP, True),
        (9, "complete", Decision.STOP, False), (2, "failed", Decision.STOP, False),
    ],
)  # fmt: skip
def test_a_gang_hears_what_it_waits_for_and_every_end_that_is_not_its_own(epoch, status, decision, is_sent):
    sent = []
    broker = SimpleNamespace(decide=SimpleNamespace(remote=lambda *message: sent.append(message)))
    send_decision(broker, TASK, EpochReport(trial="t", epoch=epoch, status=status), decision)
    assert sent == ([("t", epoch, decision, False)] if is_sent else [])
