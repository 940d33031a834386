"""Checkpoints outlive the version that wrote them."""

from trainables.config import Assignment, TrialConfig
from trainables.training.snapshot import assignment_digest


def test_trials_of_earlier_versions_are_known_by_their_checkpoints(tmp_path):
    config = TrialConfig()
    assignment = Assignment(trial="t", kind="search", folder=str(tmp_path), config=config, seed=1, max_epochs=3)
    said = "a new hyperparameter belongs into `ADDED` of snapshot.py, with the value that trains as before"
    assert assignment_digest(assignment) == "fe5110eb240ac111", said
    moved = assignment.model_copy(update={"config": config.model_copy(update={"translate": 2})})
    assert assignment_digest(moved) != "fe5110eb240ac111"
