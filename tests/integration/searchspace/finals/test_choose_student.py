"""The winner's student in a search: which network it is, that it is trained once and before the test, and failures."""

import json
from contextlib import closing

import pytest
from optuna.trial import TrialState

from searchspace.constraints.constraints import ConstraintChecker
from searchspace.constraints.feasibility import draw_sample
from searchspace.export import export_student, export_winner, print_shipments
from searchspace.finals.choose_student import choose_student, read_student
from searchspace.finals.finals import run_finals
from searchspace.finals.train_student import evaluate_student, find_student, train_student
from searchspace.finals.winner import archive_winner, evaluate_winner, is_winner_outdated, retrain_winner
from searchspace.reporting.results import read_results
from searchspace.reporting.tables.student_table import format_student, student_rows
from searchspace.spaces import Task, default_space
from tests.helpers.recording_reporter import Told
from tests.helpers.workbench import CONFIGS, Workbench, make_search, record
from trainables.common.reporter import SilentReporter
from trainables.config import TrialConfig
from trainables.data.store.data_summary import DataSummary
from trainables.export.benchmark.architecture_cost import describe_network

LARGE = CONFIGS[0].model_copy(update={"width": 32, "augment_strength": 0.3})
LIMIT = 20_000
"""Parameters; a convnet of width 8 and depth 2 has 13,202 on digits, one of width 16 and depth 2 has 50,000."""


@pytest.fixture
def searched_trials(tmp_path, digits):
    """A search of three small trials, under a limit for its student; and the gate that holds to the limit."""
    spec, study = make_search(
        tmp_path, digits, distil=True, distil_epochs=3, max_params=LIMIT, finalists=1, final_seeds=1
    )
    with closing(ConstraintChecker(spec, digits)) as gate:
        yield spec, study, gate


def sample_of(spec, digits: DataSummary) -> list[TrialConfig]:
    task = Task(data=digits, models=("convnet",), pretrained=frozenset(), gpu=False)
    starts, drawn = draw_sample(spec, default_space, task)
    return starts + drawn


def test_the_student_is_the_best_full_length_trial_that_keeps_the_limits(searched_trials, digits):
    spec, study, gate = searched_trials
    record(study, [0.5, 0.995], TrialState.COMPLETE, LARGE)
    record(study, [0.999], TrialState.PRUNED, CONFIGS[0].model_copy(update={"lr": 2e-3}))
    choice = choose_student(study.get_trials(), sample_of(spec, digits), gate)
    assert choice.trial == 0
    assert choice.config == CONFIGS[0]
    assert choice.cost.parameters == gate.parameters(choice.config) <= LIMIT
    assert spec.for_winner.limits == {}, "the search is free of what binds the student"


def test_where_no_full_length_trial_fits_the_largest_that_does_is_trained_as_the_best_was(searched_trials, digits):
    spec, study, gate = searched_trials
    record(study, [0.5, 0.995], TrialState.COMPLETE, LARGE)
    record(study, [0.999], TrialState.PRUNED, CONFIGS[0])
    trials = study.get_trials()[-2:]
    sample = sample_of(spec, digits)
    choice = choose_student(trials, sample, gate)
    assert choice.trial is None
    assert describe_network(choice.config) in {
        describe_network(config.model_copy(update={"tta": False})) for config in sample
    }
    shape = choice.config.model_dump(include={"width", "depth", "activation", "batch_norm"})
    assert choice.config == LARGE.model_copy(update=shape)
    fitting = [gate.parameters(config) for config in sample if not gate.refusal(config)]
    assert choice.cost.parameters == max(fitting) <= LIMIT
    assert choose_student(trials, [LARGE], gate) is None


def distil(searched_trials, winner, bench: Workbench, told) -> None:
    """What a search does between its winner's training and the test."""
    spec, study, gate = searched_trials
    student = find_student(spec, study, winner, sample_of(spec, bench.place.store.summary), gate, told)
    if student is not None:
        train_student(spec, student, bench, told)


def test_a_student_is_trained_once_tested_with_the_winner_and_exported(searched_trials, digits, place, capsys, logged):
    spec, study, _ = searched_trials
    record(study, [0.5, 0.995], TrialState.COMPLETE, LARGE)
    bench, told = Workbench(place), Told()
    winner = run_finals(spec, study, bench, told)[0]
    for _ in range(2):  # as after a kill at the end of each of them
        retrain_winner(spec, study, winner, bench, told)
        distil(searched_trials, winner, bench, told)
        metrics = evaluate_winner(spec, digits.classes, bench)
        tested = evaluate_student(spec, digits.classes, bench)
    trained = [task for task in bench.trained if task.kind != "final"]
    assert [task.trial for task in trained] == ["winner", "student", "test", "test"]
    assert (trained[0].max_epochs, trained[1].max_epochs) == (2, 3)
    assert trained[1].teacher == str(spec.folder / "winner")
    assert logged.count("winner: trial 3 (convnet), retrained on train+val") == 1
    (line,) = [line for line in logged if line.startswith("student: ")]
    assert line.startswith("student: trial 0, the best at full length that keeps the limits (convnet, width=8")
    assert "13,202 parameters (limit 20,000)" in line

    opened = [(spec.folder / part / "test-opened.json").read_text() for part in ("winner", "student")]
    assert opened[0] == opened[1], "one opening"
    student = read_student(spec.folder)
    assert (student.trial, student.teacher, student.status) == (0, "trial 3", "trained")
    assert student.limits == {"max_params": LIMIT}
    assert json.loads((spec.folder / "student" / "model.json").read_text())["config"] == student.config.model_dump()
    assert tested.accuracy > 0.5
    names = {path.name for path in (spec.folder / "student").iterdir()}
    assert names >= {"model.safetensors", "model.json", "metrics.json", "confusion.csv"}
    assert names >= {"test-predictions.csv", "test-predictions.npz"}
    assert "checkpoints" not in names

    short = spec.model_copy(update={"formats": ("onnx",)})
    shipments = (
        export_winner(short, spec.folder, SilentReporter()),
        export_student(short, spec.folder, SilentReporter()),
    )
    print_shipments(spec, spec.folder, *shipments)
    said = capsys.readouterr().out
    assert said.count("shipped in") == 2
    assert "warning" not in said, "the winner has no limit to break"
    whole, own = student_rows(read_results(spec.folder))
    assert (whole["network"], own["network"]) == ("trial 3", "trial 0")
    assert whole["test_score"] == pytest.approx(metrics.accuracy, abs=1e-4)
    assert own["times_smaller"] == pytest.approx(whole["size_mb"] / own["size_mb"], rel=0.01)
    assert "student: trial 0, taught by trial 3, accuracy: test " in format_student(read_results(spec.folder))


def test_a_student_that_fails_costs_the_search_its_student_alone(searched_trials, digits, place, logged):
    spec, study, _ = searched_trials
    bench, told = Workbench(place, fails="student"), Told()
    winner = run_finals(spec, study, bench, told)[0]
    retrain_winner(spec, study, winner, bench, told)
    for _ in range(2):
        distil(searched_trials, winner, bench, told)
    assert [task.trial for task in bench.trained].count("student") == 1
    assert logged.count("warning: no student: its training failed (diverged)") == 1
    assert "the winner keeps the limits itself: its student is the same network, taught" in logged
    assert evaluate_winner(spec, digits.classes, bench).accuracy > 0.5
    assert evaluate_student(spec, digits.classes, bench) is None
    assert export_student(spec, spec.folder, SilentReporter()) is None
    assert student_rows(read_results(spec.folder)) == []
    assert format_student(read_results(spec.folder)) == ""


def test_no_student_is_begun_once_the_test_is_open(searched_trials, digits, place):
    spec, study, gate = searched_trials
    bench, told = Workbench(place), Told()
    winner = run_finals(spec, study, bench, told)[0]
    retrain_winner(spec, study, winner, bench, told)
    chosen = find_student(spec, study, winner, [], gate, told)
    (spec.folder / "winner" / "test-opened.json").write_text("{}")
    with pytest.raises(RuntimeError, match="its test split was opened before its student was trained"):
        train_student(spec, chosen, bench, told)
    (spec.folder / "student" / "student.json").unlink()
    assert find_student(spec, study, winner, [], gate, told) is None


def test_a_student_is_put_aside_with_its_winner(searched_trials, digits, place):
    spec, study, _ = searched_trials
    bench = Workbench(place)
    winner = run_finals(spec, study, bench, SilentReporter())[0]
    retrain_winner(spec, study, winner, bench, SilentReporter())
    distil(searched_trials, winner, bench, SilentReporter())
    archive_winner(spec, study)
    assert {path.name for path in spec.folder.iterdir()} >= {"winner-1", "student-1"}
    assert read_student(spec.folder) is None
    assert not (spec.folder / "winner").exists()


def test_a_search_that_was_cut_off_keeps_its_winner_and_one_that_grew_does_not(tmp_path, digits, place):
    spec, study = make_search(tmp_path, digits, trials=3, finalists=1, final_seeds=1)
    bench = Workbench(place)
    assert not is_winner_outdated(study, 3)
    winner = run_finals(spec, study, bench, SilentReporter())[0]
    retrain_winner(spec, study, winner, bench, SilentReporter())
    assert not is_winner_outdated(study, 3)
    assert is_winner_outdated(study, 4)
    other = winner.model_copy(update={"members": (2,)})
    retrain_winner(spec, study, other, bench, SilentReporter())
    assert (spec.folder / "winner-1" / "model.json").is_file(), "another winner never takes an opened test over"
