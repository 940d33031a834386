"""Labels of given images, as places among a classifier's classes."""

import numpy as np
import pytest

from searchspace.prediction.labelled_inputs import match_labels
from trainables.common.errors import UserError


@pytest.mark.parametrize(
    ("labels", "names", "classes", "expected"),
    [
        ([0, 1], ["dog", "cat"], ["cat", "dog"], [1, 0]),
        (["dog", "cat"], [], ["cat", "dog"], [1, 0]),
        ([1, 0], [], ["cat", "dog"], [1, 0]),
        ([7, 3], [], ["3", "7"], [1, 0]),
        ([0, 1], [], ["1", "0"], [1, 0]),
    ],
)
def test_labels_are_matched_by_name_or_are_places(labels, names, classes, expected):
    assert match_labels(np.array(labels), names, classes).tolist() == expected


@pytest.mark.parametrize(
    ("labels", "names", "classes", "said"),
    [
        ([0], ["lynx"], ["cat", "dog"], r"'lynx': no class of this classifier, which has 2 \('cat', 'dog'\)"),
        ([2], [], ["cat", "dog"], "'2'"),
        ([-1], [], ["cat", "dog"], "'-1'"),
        ([1], [], ["3", "7"], "'1'"),
        (["Dog"], [], ["cat", "dog"], "did you mean 'dog'"),
    ],
)
def test_labels_that_are_no_class_are_named(labels, names, classes, said):
    with pytest.raises(UserError, match=said):
        match_labels(np.array(labels), names, classes)
