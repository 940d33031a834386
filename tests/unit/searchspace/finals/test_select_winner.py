"""The choice of the winner: equals seldom differ significantly, the clearly different do; seeds count like images."""

import json

import numpy as np
import optuna
import pytest

from searchspace.finals.comparison import Comparison, ComparisonOutcome
from searchspace.finals.ensembles.extra_contenders import make_ensemble
from searchspace.finals.finalist import Finalist, read_finalists, write_finalists
from searchspace.finals.formatting import format_interval, format_undecided
from searchspace.finals.select_winner import FinalistPredictions, select_winner
from searchspace.reporting.tables.finalists import finalist_rows

IMAGES = 250
LABELS = np.zeros(IMAGES, np.int64)


def contender(number, probabilities, search_score=0.9, lost=0):
    return FinalistPredictions((number,), search_score, True, dict(enumerate(probabilities)), lost, seconds=1.0)


def trained(rng, difficulty, skill, seeds, seed_scatter):
    """What `seeds` trainings of one configuration say of images, whose difficulty all configurations share."""
    found = []
    for _ in range(seeds):
        logit = difficulty + skill + seed_scatter * rng.normal() + rng.normal(size=IMAGES)
        right = 1 / (1 + np.exp(-logit))
        found.append(np.stack([right, 1 - right], axis=1).astype(np.float32))
    return found


def simulated_finals(skills, seeds, seed_scatter, repeats=60):
    """Of `repeats` finals of configurations with these skills, the finalists."""
    for repeat in range(repeats):
        rng = np.random.default_rng(repeat)
        difficulty = 3 * rng.normal(size=IMAGES) + 5
        all_trained = [trained(rng, difficulty, skill, seeds, seed_scatter) for skill in skills]
        yield select_winner("accuracy", [contender(i, each) for i, each in enumerate(all_trained)], LABELS)


def apart(finalists):
    return any(finalist.comparison.is_significant for finalist in finalists[1:])


@pytest.mark.parametrize("seeds", [2, 3])
@pytest.mark.parametrize("seed_scatter", [0.0, 0.5, 2.0])
def test_equals_seldom_differ_significantly_for_any_source_of_chance(seeds, seed_scatter):
    wrongly = np.mean([apart(found) for found in simulated_finals([0.0, 0.0, 0.0], seeds, seed_scatter)])
    assert wrongly <= 0.12


def test_the_clearly_different_differ_significantly():
    found = list(simulated_finals([0.0, 3.0], seeds=3, seed_scatter=0.3))
    assert np.mean([finalists[0].name == 1 for finalists in found]) == 1.0
    assert np.mean([apart(finalists) for finalists in found]) > 0.95


def test_a_lead_that_the_seeds_explain_is_no_lead():
    """The same lead on the same images: significant where seeds agree, not where they scatter more than it."""

    def lead(scatter):
        wrong = {"a": [10 - scatter, 10 + scatter], "b": [40 - scatter, 40 + scatter]}
        pairs = {name: [np.where(np.arange(IMAGES)[:, None] < n, [[0.1, 0.9]], [[0.9, 0.1]]) for n in counts]
                 for name, counts in wrong.items()}  # fmt: skip
        first, second = select_winner("accuracy", [contender(0, pairs["a"]), contender(1, pairs["b"])], LABELS)
        assert first.score - second.score == pytest.approx(30 / IMAGES)
        return second.comparison

    assert lead(0).is_significant
    assert not lead(10).is_significant
    assert lead(10).high - lead(10).low > lead(0).high - lead(0).low


def test_with_one_seed_no_difference_is_significant():
    (finalists,) = simulated_finals([0.0, 3.0], seeds=1, seed_scatter=0.3, repeats=1)
    assert finalists[0].name == 1
    assert finalists[0].deviation is None
    assert finalists[1].comparison.low is None
    assert not apart(finalists)
    (doubt,) = format_undecided("accuracy", finalists)
    assert "--final-seeds 2" in doubt


def test_a_doubt_names_difference_and_interval():
    finalists = next(iter(simulated_finals([0.0, 0.0], seeds=3, seed_scatter=0.5, repeats=1)))
    (doubt,) = format_undecided("accuracy", finalists)
    comparison = finalists[1].comparison
    assert doubt == (
        f"trial {finalists[1].name} is not significantly different from the winner "
        f"(difference {100 * comparison.difference:.2f} points, "
        f"95 % Welch interval {100 * comparison.low:.2f} to {100 * comparison.high:.2f})"
    )


def test_who_answers_alike_is_no_information():
    right = [np.tile([[0.9, 0.1]], (IMAGES, 1))] * 2
    finalists = select_winner("accuracy", [contender(0, right), contender(1, right)], LABELS)
    assert (finalists[1].comparison.outcome, finalists[1].comparison.low) == ("no variance", None)
    (doubt,) = format_undecided("accuracy", finalists)
    assert doubt.endswith("(no information: no validation image and no seed makes a difference between them)")
    row = finalist_rows("accuracy", finalists, {})[1]
    assert (row["95_%_interval"], row["told_apart"]) == ("", "no information")


def test_an_older_record_of_an_interval_without_width_is_no_information():
    older = Comparison(difference=0.0, low=0.0, high=0.0)
    assert older.outcome == "no variance"
    assert format_interval("accuracy", older) == ""
    assert Comparison(difference=0.1, low=None, high=None).outcome == "one seed"
    assert not Comparison(difference=0.1, low=0.1, high=0.1).is_significant


def test_the_winner_is_the_best_mean_and_then_the_lower_loss():
    sure, unsure, wrong = [[0.9, 0.1]], [[0.6, 0.4]], [[0.1, 0.9]]
    labels = np.zeros(1, np.int64)
    some = [contender(1, [np.array(wrong), np.array(sure)]), contender(2, [np.array(unsure)] * 2),
            contender(3, [np.array(sure)] * 2)]  # fmt: skip
    found = select_winner("accuracy", some, labels)
    assert [finalist.name for finalist in found] == [3, 2, 1]
    assert [finalist.score for finalist in found] == [1.0, 1.0, 0.5]
    assert found[0].comparison is None
    assert found[2].deviation == pytest.approx(np.std([0, 1], ddof=1))


def test_members_of_an_ensemble_count_as_often_as_they_say_and_one_without_seeds_joins_all():
    rng = np.random.default_rng(0)
    each = [rng.random((5, 4)).astype(np.float32) for _ in range(3)]
    solved = FinalistPredictions((9,), 0.8, True, {0: each[2]}, lost=0, seconds=0.1, deterministic=True)
    joined = make_ensemble([contender(7, each[:2]), solved], (1, 3))
    assert joined.counts == (1, 3)
    assert not joined.deterministic
    assert set(joined.probabilities) == {0, 1}
    assert np.allclose(joined.probabilities[1], (each[1] + 3 * each[2]) / 4)
    both = make_ensemble([solved, solved], (2, 2))
    assert (both.counts, both.deterministic, set(both.probabilities)) == ((), True, {0})


def test_an_ensemble_is_the_mean_of_its_members_seed_by_seed():
    rng = np.random.default_rng(0)
    first, second = ([each / each.sum(axis=1, keepdims=True) for each in rng.random((3, 5, 4))] for _ in "ab")
    late = FinalistPredictions((8,), 0.8, True, {1: second[1], 2: second[2]}, lost=1, seconds=2.0)
    joined = make_ensemble([contender(7, first), late])
    assert joined is not None
    assert joined.members == (7, 8)
    assert list(joined.probabilities) == [1, 2], "seed 0 of trial 8 failed"
    assert joined.lost == 1
    assert np.allclose(joined.probabilities[2], (first[2] + second[2]) / 2)
    assert make_ensemble([contender(7, first)]) is None
    assert make_ensemble([contender(7, first[:1]), late]) is None


def test_no_drop_is_told_from_a_score_at_another_length():
    facts = {"members": (1,), "search_score": 0.95, "scores": (0.9, 0.92), "val_losses": (1.0, 1.0), "lost": 0}
    assert Finalist(**facts, full_length=True, seconds=1).search_difference == pytest.approx(0.04)
    assert Finalist(**facts, full_length=False, seconds=1).search_difference is None


def test_a_study_keeps_finalists_with_the_spelling_of_earlier_versions():
    facts = {"members": [1], "search_score": 0.9, "full_length": True, "scores": [0.9], "val_losses": [1.0]}
    kept = facts | {"lost": 0, "seconds": 1.0, "behind": {"difference": 0.1, "low": None, "high": None}}
    kept["behind"]["reason"] = "one seed"
    study = optuna.create_study()
    study.set_user_attr("finalists", json.dumps([kept]))
    found = read_finalists(study)
    assert found[0].comparison == Comparison(difference=0.1, low=None, high=None, reason=ComparisonOutcome.ONE_SEED)
    write_finalists(study, found)
    added = {
        "counts": [],
        "fold_scores": [],
        "deterministic": False,
        "planned": 0,
        "behind": {**kept["behind"], "method": "Welch"},
    }
    assert json.loads(study.user_attrs["finalists"]) == [kept | added]
    assert (json.loads(study.user_attrs["winner"]), read_finalists(study)) == (1, found)
