"""The finals on real trainings in this process: who is a finalist, what failed seeds cost, an ensemble to the end."""

import html
import json
import re

import numpy as np
import pytest
import torch
from optuna.trial import TrialState

from searchspace.export import export_winner
from searchspace.finals.finalist import Finalist, read_finalists
from searchspace.finals.finals import run_finals
from searchspace.finals.formatting import format_score_history
from searchspace.finals.race.field import choose_finalists
from searchspace.finals.winner import evaluate_winner, open_test_split, retrain_winner
from searchspace.reporting.model_card.card_file import write_card
from searchspace.reporting.tables.finalists import finalist_rows
from searchspace.sampling.samplers import make_sampler
from searchspace.spec import make_spec
from searchspace.study.study import create_study
from tests.helpers.recording_reporter import Told
from tests.helpers.workbench import Workbench, make_search, record
from trainables.common.errors import NoWinnerError
from trainables.common.escaping import as_markdown
from trainables.common.reporter import SilentReporter
from trainables.data.folds import cross_validated
from trainables.export.model_info import member_folder
from trainables.export.weights import read_classifier
from trainables.metrics.predictions import read_predictions, read_rows


def test_finalists_are_full_length_trials_before_any_other_and_equals_by_their_loss(tmp_path):
    study = create_study(spec := make_spec(name="s", results=str(tmp_path)), make_sampler(spec, "random"))
    for score, epochs, state, loss in [
        (0.7, 9, TrialState.COMPLETE, 0.0), (0.99, 1, TrialState.PRUNED, 0.0), (0.8, 9, TrialState.COMPLETE, 0.5),
        (0.95, 3, TrialState.PRUNED, 0.0), (0.5, 1, TrialState.FAIL, 0.0), (0.8, 9, TrialState.COMPLETE, 0.1),
    ]:  # fmt: skip
        record(study, [score] * epochs, state, val_loss=loss)
    assert [t.number for t in choose_finalists(study.trials, 3)] == [5, 2, 0]
    assert [t.number for t in choose_finalists(study.trials, 9)] == [5, 2, 0, 3, 1]


def test_finals_train_each_finalist_from_fresh_seeds_and_judge_what_they_said(tmp_path, digits, place, logged):
    spec, study = make_search(tmp_path, digits, finalists=2, final_seeds=2)
    bench, told = Workbench(place), Told()
    found = run_finals(spec, study, bench, told)
    assert [a.trial for a in bench.trained] == ["final-0-0", "final-1-0", "final-0-1", "final-1-1"]
    assert len({a.seed for a in bench.trained}) == 4
    assert sorted(f.name for f in found) == [0, 1]
    for finalist in found:
        assert (len(finalist.scores), finalist.lost) == (2, 0)
        for index, score in enumerate(finalist.scores):
            folder = spec.folder / "trials" / f"final-{finalist.name}-{index}"
            probabilities, labels = read_predictions(folder, "val-predictions.npz")
            assert probabilities.shape == (digits.val, 10)
            assert probabilities.dtype == np.float32
            assert score == (probabilities.argmax(axis=1) == labels).mean()
        assert finalist.search_difference == pytest.approx(finalist.search_score - np.mean(finalist.scores))
    assert found[0].score >= found[1].score
    assert read_finalists(study) == found
    rows = finalist_rows("accuracy", found, {})
    assert rows[0]["told_apart"] == "the winner"
    assert rows[1]["told_apart"] in {"yes", "no"}
    assert rows[1]["seeds"] == 2
    assert any("trials 0, 1 again, 2 epochs, up to 2 fresh seeds each" in line for line in logged)
    assert (steps := [step for what, *step in told.steps if what == "finals: epochs"])[-1] == [8, 8]
    assert steps == sorted(steps), "a bar never goes back"


def test_predictions_score_as_the_last_epoch_did(tmp_path, digits, place):
    spec, study = make_search(tmp_path, digits, finalists=1, final_seeds=1)
    reports = []
    bench = Workbench(place)
    serve = bench.serve
    bench.serve = lambda assignment: reports.append(serve(assignment)) or reports[-1]
    (finalist,) = run_finals(spec, study, bench, SilentReporter())
    assert finalist.scores[0] == pytest.approx(reports[0].score)
    assert finalist.val_losses[0] == pytest.approx(reports[0].val_loss, abs=1e-5)


def test_failed_seeds_leave_a_finalist_with_those_that_ended(tmp_path, digits, place):
    spec, study = make_search(tmp_path, digits, finalists=3, final_seeds=2)
    found = run_finals(spec, study, Workbench(place, fails="final-0-1|final-2-."), SilentReporter())
    by_name = {finalist.name: finalist for finalist in found}
    assert set(by_name) == {0, 1}, "of trial 2 nothing ended"
    assert (len(by_name[0].scores), by_name[0].lost) == (1, 1)
    assert (len(by_name[1].scores), by_name[1].lost) == (2, 0)


def folded_search(tmp_path, digits, **options):
    spec, study = make_search(tmp_path, cross_validated(digits, options["folds"]), **options)
    return spec, study


def test_folds_score_each_training_image_by_a_training_that_it_was_held_out_of(tmp_path, digits, place, logged):
    spec, study = folded_search(tmp_path, digits, finalists=2, folds=3, ensemble=True)
    bench = Workbench(place)
    found = {finalist.name: finalist for finalist in run_finals(spec, study, bench, Told())}
    assert [a.trial for a in bench.trained] == [f"final-{n}-0-fold-{k}" for n in (0, 1) for k in range(3)]
    rows = [read_rows(spec.folder / "trials" / f"final-1-0-fold-{k}") for k in range(3)]
    assert sorted(np.concatenate(rows)) == place.store.rows("train").tolist()
    said = [read_predictions(spec.folder / "trials" / f"final-1-0-fold-{k}", "val-predictions.npz") for k in range(3)]
    right = np.concatenate([probabilities.argmax(axis=1) == labels for probabilities, labels in said])
    assert found[1].scores == (right.mean(),)
    assert found[1].fold_scores == tuple((p.argmax(axis=1) == labels).mean() for p, labels in said)
    assert set(found) == {0, 1, "ensemble"}
    assert f"3-fold cross-validation over the {digits.train:,} training images" in "".join(logged)
    assert any("trials 0, 1 again, 2 epochs, 3 folds each" in line for line in logged)
    again = Workbench(place)
    study.set_user_attr("final-1-0-fold-1", "")
    assert {f.name: f.scores for f in run_finals(spec, study, again, SilentReporter())} == {
        name: finalist.scores for name, finalist in found.items()
    }
    assert [a.trial for a in again.trained] == ["final-1-0-fold-1"], "what ended before a kill is not trained again"


def test_a_finalist_without_one_fold_has_no_score(tmp_path, digits, place):
    spec, study = folded_search(tmp_path, digits, finalists=2, folds=2)
    (only,) = run_finals(spec, study, Workbench(place, fails="final-0-0-fold-1"), SilentReporter())
    assert only.name == 1
    with pytest.raises(NoWinnerError, match=r"every finalist failed \(diverged\)"):
        run_finals(*folded_search(tmp_path / "b", digits, finalists=2, folds=2),
                   Workbench(place, fails=".*-fold-1"), SilentReporter())  # fmt: skip


def test_finals_of_which_all_failed_have_no_winner(tmp_path, digits, place):
    spec, study = make_search(tmp_path, digits, finalists=2, final_seeds=2)
    with pytest.raises(NoWinnerError, match=r"every finalist failed \(diverged\)"):
        run_finals(spec, study, Workbench(place, fails="final.*"), SilentReporter())


def test_a_search_without_a_finalist_says_what_its_trials_failed_of(tmp_path):
    spec = make_spec(name="s", results=str(tmp_path))
    with pytest.raises(NoWinnerError, match="no trial came far enough"):
        run_finals(spec, create_study(spec, make_sampler(spec, "random")), Workbench(None), SilentReporter())


def test_an_ensemble_wins_is_retrained_tested_and_exported_as_one(tmp_path, digits, place):
    spec, study = make_search(tmp_path, digits, finalists=2, final_seeds=2, ensemble=True)
    bench = Workbench(place)
    found = {finalist.name: finalist for finalist in run_finals(spec, study, bench, SilentReporter())}
    ensemble = found["ensemble"]
    assert ensemble.members == (0, 1)
    assert ensemble.search_difference is None
    for index, loss in enumerate(ensemble.val_losses):
        folders = [spec.folder / "trials" / f"final-{number}-{index}" for number in (0, 1)]
        said, labels = zip(*(read_predictions(folder, "val-predictions.npz") for folder in folders), strict=True)
        own = np.mean(said, axis=0)[np.arange(len(labels[0])), labels[0]]
        assert loss == pytest.approx(-np.log(own).mean(), rel=1e-5)

    retrain_winner(spec, study, ensemble, bench, SilentReporter())
    metrics = evaluate_winner(spec, digits.classes, bench)
    tested, _ = read_predictions(spec.folder / "winner")
    images, _ = place.store.open_test(spec.folder / "winner" / "test-opened.json")
    members = [read_classifier(member_folder(spec.folder / "winner", index))[0] for index in (0, 1)]
    with torch.inference_mode():
        each = [member(torch.from_numpy(images)).softmax(dim=1).numpy() for member in members]
    assert not np.allclose(each[0], each[1], atol=1e-2)
    assert np.allclose(tested, np.mean(each, axis=0), atol=1e-5)
    shipment = export_winner(spec.model_copy(update={"formats": ("onnx",)}), spec.folder, SilentReporter())
    assert [artefact.format for artefact in shipment.artefacts] == ["pytorch", "onnx"]
    assert shipment.find("onnx").proof.largest_difference < 1e-4
    assert shipment.find("onnx").proof.agreement == 1.0
    assert metrics.accuracy > 0.5


@pytest.fixture
def proven(tmp_path, digits, place):
    """A search to its end, without gangs."""
    spec, study = make_search(tmp_path, digits, finalists=2, final_seeds=2)
    bench = Workbench(place)
    winner = run_finals(spec, study, bench, SilentReporter())[0]
    retrain_winner(spec, study, winner, bench, SilentReporter())
    return spec, study, winner, evaluate_winner(spec, digits.classes, bench)


def test_the_page_says_how_the_winner_was_chosen_and_how_good_it_is(proven):
    spec, study, winner, metrics = proven
    page = write_card(spec.folder / "winner", study).read_text()
    assert f"\nTrial {as_markdown(format_score_history('accuracy', winner, metrics).removeprefix('trial '))}.\n" in page
    page = html.unescape(page)  # as a reader sees it
    for part in (
        f"search {winner.search_score:.2%} -> re-score {winner.score:.2%} ± ", "over 2 fresh seeds",
        f"(95 % Wilson interval {metrics.accuracy_low:.2%} to {metrics.accuracy_high:.2%})",
        f"From search to re-score: {100 * winner.search_difference:.2f} points lower", "From re-score to test: ",
        "selection bias",
        "## Finalists", f"| F1, mean over classes | {metrics.f1_macro:.4f} | {metrics.f1_macro_low:.4f} to ",
        "## How to repeat it", "searchspace run", '"model": "convnet"',
    ):  # fmt: skip
        assert part in page, part
    rows = [
        line
        for line in page.splitlines()
        if re.match(r"\| \d( \| [\d.]+ \([\d.]+ to [\d.]+\)){3} \| \d+ \| \d+ \|$", line)
    ]
    assert len(rows) == 10, "one row a class"


def test_the_test_split_opens_once(tmp_path):
    open_test_split(tmp_path)
    assert "opened" in json.loads((tmp_path / "test-opened.json").read_text())
    with pytest.raises(FileExistsError):
        open_test_split(tmp_path)


def test_a_lost_member_is_told_and_stops_nothing(tmp_path, digits, place, logged):
    spec, study = make_search(tmp_path, digits, finalists=2, final_seeds=1, ensemble=True)
    told = Told()
    (finalist,) = run_finals(spec, study, Workbench(place, fails="final-1-0"), told)
    assert isinstance(finalist, Finalist)
    assert "no ensemble: it takes two finalists that ended with the same seed" in logged
