"""The portfolio: what of it a search tries, how it is chosen, and what it is worth on data that it has not seen."""

import numpy as np
import pytest

from searchspace.priors.portfolio import (
    BY_IMAGES,
    MAX_TRIALS,
    Portfolio,
    count_portfolio_trials,
    portfolio_trials,
    read_portfolio,
)
from searchspace.spaces import Task, default_space, draw_config
from tests.helpers.benchmarks.portfolio import Pool, choose_portfolio, regrets_by_seconds, regrets_by_trials
from trainables.config import TrialConfig

LITE0 = "tf_efficientnet_lite0"
DEFAULT = {"model": "convnet", "flip": "none", "width": 16, "batch_size": 64}
MADE = Portfolio(
    data=("a", "b"),
    families={
        "convnet": (
            {"model": "convnet", "lr": 0.03, "width": 8, "flip": "random", "optimizer": "sgd"},
            {"model": "convnet", "lr": 5.0, "width": 16},
        ),
        "fine-tuned": ({"model": LITE0, "freeze": "none", "head_lr": 0.05, "backbone_lr": 1e-4},),
    },
)


def tried(digits, count=9, pins=None, portfolio=MADE, **task):
    facts = {"data": digits, "models": ("convnet", LITE0), "pretrained": frozenset({LITE0}), "gpu": False} | task
    known = Task(**facts)
    pins = pins or {}
    return portfolio_trials(
        portfolio, known, lambda trial: draw_config(default_space, trial, known, pins), [DEFAULT], count
    )  # fmt: skip


def test_what_is_packaged_is_of_valid_configurations():
    portfolio = read_portfolio()
    assert len(portfolio.data) > 1
    assert all(TrialConfig(**values) for entries in portfolio.families.values() for values in entries)


def test_what_follows_from_the_images_is_the_defaults(digits):
    first, second = tried(digits, models=("convnet",))
    assert first == {"model": "convnet", "lr": 0.03, "width": 8, "flip": "none", "optimizer": "sgd", "batch_size": 64}
    assert second["lr"] == 0.1, "the nearest that this space has"
    assert tried(digits, models=("convnet",), count=1) == [first]
    assert "flip" in BY_IMAGES


def test_families_take_turns(digits):
    found = tried(digits, gpu=True)
    assert [values["model"] for values in found] == ["convnet", LITE0, "convnet"]
    assert (found[1]["freeze"], found[1]["head_lr"]) == ("none", 0.05)
    assert all("width" not in values for values in found), "8 and 16 are none of its"


def test_only_what_this_search_has_is_tried(digits):
    assert [values["model"] for values in tried(digits, models=("convnet",))] == ["convnet", "convnet"]
    assert {values["model"] for values in tried(digits, pins={"model": "convnet"})} == {"convnet"}
    assert [values["lr"] for values in tried(digits, models=("resnet",), pretrained=frozenset())] == [0.03, 0.1]
    assert [values["model"] for values in tried(digits)] == ["convnet", "convnet"], "on a CPU no backbone is tuned"
    assert "lr" not in tried(digits, models=("convnet",), pins={"lr": 0.5})[0], "pins are not for it to say"


def test_a_default_is_not_tried_twice(digits):
    made = Portfolio(data=("a",), families={"convnet": (dict(DEFAULT),)})
    assert tried(digits, portfolio=made) == []


def test_a_search_has_as_many_as_it_has_trials_for():
    assert [count_portfolio_trials(trials) for trials in (1, 7, 8, 24, 64, 1000)] == [0, 0, 1, 3, 4, MAX_TRIALS]


def pool(*scores):
    return Pool(np.array(scores), np.arange(1.0, len(scores) + 1))


def test_the_chosen_complement_each_other():
    # Configuration 1 is second best everywhere, 2 and 3 are best on one set each and bad on the other.
    pools = [pool(0.5, 0.8, 0.9, 0.5), pool(0.5, 0.8, 0.5, 0.9)]
    assert choose_portfolio(pools, 3) == [1, 2, 3]
    assert choose_portfolio(pools[:1], 3) == [2], "what lowers the regret no more is not taken"


def test_regret_is_of_the_best_so_far():
    known = pool(0.5, 0.7, 0.9)
    assert regrets_by_trials(known, [[0, 1, 2], [0, 2, 1]]) == pytest.approx([40.0, 10.0, 0.0])
    by_seconds = regrets_by_seconds(known, [[0, 1, 2]])
    assert by_seconds[[0, 20, 60, 100]] == pytest.approx([40.0, 40.0, 20.0, 0.0])
