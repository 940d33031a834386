"""Drawing whole groups: no group is divided, classes are as equal as scikit-learn makes them."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from trainables.data.finals_validation import Partition
from trainables.data.group_draw import draw_groups, number_groups


def made_groups(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and groups; in odd sets a group has all classes, in even ones one."""
    rng = np.random.default_rng(seed)
    count, classes = int(rng.integers(30, 200)), int(rng.integers(2, 12))
    sizes = rng.geometric(1 / rng.integers(2, 15), count)
    groups = np.repeat(np.arange(count), sizes)
    if seed % 2:
        return rng.integers(0, classes, len(groups)), groups
    return np.repeat(np.arange(count) % classes, sizes), groups


def deviation(labels: np.ndarray, drawn: np.ndarray, share: float) -> float:
    """Largest distance of a class's share from the one that is wanted."""
    counts = np.bincount(labels)
    return float(np.abs(np.bincount(labels[drawn], minlength=len(counts)) / counts - share).max())


def test_shares_are_as_equal_as_those_of_scikit_learn():
    folds, ours, theirs = 7, [], []
    for seed in range(20):
        labels, groups = made_groups(seed)
        found = draw_groups(labels, groups, np.bincount(labels) / folds, 1, 7)
        with warnings.catch_warnings(action="ignore"):
            _, fold = next(StratifiedGroupKFold(folds, shuffle=True, random_state=0).split(labels, labels, groups))
        drawn = np.isin(np.arange(len(labels)), fold)
        ours.append(deviation(labels, found.drawn, 1 / folds))
        theirs.append(deviation(labels, drawn, 1 / folds))
    assert np.mean(ours) < np.mean(theirs)
    assert np.median(ours) < 0.05


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 9)), min_size=1, max_size=60),
    st.floats(0, 1),
    st.integers(0, 2),
    st.integers(0, 9),
)
def test_no_group_is_divided_and_enough_remain(images, share, spared, seed):
    labels, groups = (np.array(column, np.int64) for column in zip(*images, strict=True))
    wanted = share * np.bincount(labels, minlength=4)
    found = draw_groups(labels, groups, wanted, spared, seed)
    numbers = number_groups(groups)
    assert len(found.drawn) == len(labels)
    assert not set(numbers[found.drawn]) & set(numbers[~found.drawn])
    for label in range(4):
        known, left = set(numbers[labels == label]), set(numbers[~found.drawn & (labels == label)])
        assert len(left) >= min(len(known), spared)
        assert (label in found.missing) == (wanted[label] > 0 and not (found.drawn & (labels == label)).any())
    again = draw_groups(labels, groups, wanted, spared, seed)
    assert again.drawn.tolist() == found.drawn.tolist()


def test_the_draw_never_changes_with_a_library():
    labels, groups = np.arange(40) % 2, np.arange(40) // 4
    found = draw_groups(labels, groups, np.array([6.0, 6.0]), 1, 3)
    assert np.unique(groups[found.drawn]).tolist() == [0, 2, 4]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("source", ["drawn", "held back"])
def test_the_finals_images_are_whole_groups(seed, source):
    labels, groups = made_groups(seed)
    val = 2 * len(labels) // 3
    val = int(np.searchsorted(groups, groups[val]))  # the search's validation split has whole groups
    found = Partition.from_labels(labels, val, source, groups)
    assert len(found.final_val)
    assert not set(groups[found.final_val]) & set(groups[found.final_train])
    assert not set(groups[found.final_val]) & set(groups[found.val])
    assert not set(found.final_val) & set(found.final_train)
    every = {"drawn": np.arange(len(labels)), "held back": np.arange(val)}[source]
    rest = np.setdiff1d(every, found.final_val) if source == "drawn" else every
    assert found.final_train.tolist() == rest.tolist()
