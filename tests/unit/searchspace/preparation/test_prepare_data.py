"""Data of a search that asks for folds: recorded for its finals, or refused before anything else is done."""

import numpy as np
import pytest
from PIL import Image

from searchspace.finals.validation_images import format_validation
from searchspace.preparation.prepare_data import prepare_shared
from searchspace.spec import make_spec
from trainables.common.errors import UserError
from trainables.common.reporter import SilentReporter
from trainables.data.finals_validation import FinalsValidation


@pytest.fixture
def photos(tmp_path):
    """Ten images of each of two classes, of which seven are left to train on."""
    rng = np.random.default_rng(0)
    for name in ("ants", "bees"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(10):
            pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{index}.png")
    return tmp_path / "photos"


def prepare(photos, folds):
    spec = make_spec(name="s", results=str(photos.parent / "results"), data=str(photos), folds=folds)
    return prepare_shared(spec, SilentReporter())


def test_more_folds_than_a_class_has_images_are_refused_with_the_most_that_work(photos):
    with pytest.raises(
        UserError, match=r"^--folds 8: class 'ants' has 7 images to train on, .*; give --folds 7 at most"
    ):
        prepare(photos, 8)
    found = prepare(photos, 7).finals
    assert found == FinalsValidation(source="folds", folds=7, images=14, search_images=3)
    assert format_validation(found).startswith("finals validation: 7-fold cross-validation over the 14 training images")


@pytest.mark.parametrize("folds", [0, 1])
def test_fewer_than_two_folds_are_none(photos, folds):
    assert prepare(photos, folds).finals.source == "drawn"
