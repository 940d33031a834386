"""Augmentations of the user's own: what is checked, which numbers they draw, and what follows from the entry."""

import numpy as np
import pytest
import torch

from trainables.augmentation.augment import augment
from trainables.augmentation.augmentation_registry import (
    DRAW_COLUMNS,
    ImageViews,
    active_augmentations,
    describe_augmentation,
    image_views,
)
from trainables.common.errors import UserError
from trainables.config import TrialConfig
from trainables.custom.collect import collect
from trainables.custom.custom_augmentation import augmentation, describe_augmentation_part
from trainables.custom.ranges import Choice, Float, Int
from trainables.custom.register import own_ranges, register, register_descriptions
from trainables.data.loading.epoch_plan import Mixing, epoch_plan

SOURCE = """
import torch
from trainables.custom.custom_augmentation import augmentation
from trainables.custom.ranges import Choice, Float

@augmentation(strength=Float(0, 0.5), draws=2, label="fading by up to {:.3g}")
def fade(images, draws, strength):
    share = strength * draws[:, 1, None, None, None]
    return images + share * (images.mean((1, 2, 3), keepdim=True) - images)

@augmentation(strength=Choice("off", "light", "dark"), draws=0)
def tone(images, draws, strength):
    return {"light": images.sqrt(), "dark": images.square()}.get(strength, images)
"""
FADED = TrialConfig(custom={"fade": 0.4})


@pytest.fixture
def code(tmp_path):
    (tmp_path / "my_aug.py").write_text(SOURCE)
    found = collect([("augmentation", f"{tmp_path}/my_aug.py:{name}") for name in ("fade", "tone")])
    register(found)
    yield found
    register_descriptions(collect([]))


def plan(rank=0, world=1):
    return list(epoch_plan(12, 6, 5, 2, Mixing(), (rank, world)))


def test_an_augmentation_gets_its_own_draws_and_strength(code):
    images = torch.rand(6, 3, 8, 8)
    draws = torch.rand(6, len(DRAW_COLUMNS))
    share = 0.4 * draws[:, DRAW_COLUMNS["fade 1"], None, None, None]
    expected = images + share * (images.mean((1, 2, 3), keepdim=True) - images)
    assert torch.allclose(augment(images, draws, FADED), expected)
    assert torch.equal(augment(images, draws, TrialConfig(custom={"fade": 0.0, "tone": "off"})), images)
    assert torch.equal(augment(images, draws, TrialConfig(custom={"tone": "dark"})), images.square())


def test_other_draws_stay_and_workers_see_together_what_one_sees(code):
    with_own = plan()[0].draws
    shares = [plan(rank, 2)[0] for rank in range(2)]
    register_descriptions(collect([]))
    plain = plan()[0].draws
    assert np.array_equal(with_own[:, : plain.shape[1]], plain)
    assert with_own.shape[1] == plain.shape[1] + 2
    assert np.array_equal(
        np.concatenate([share.draws for share in shares]), np.concatenate([with_own[::2], with_own[1::2]])
    )
    assert len(np.unique(with_own[:, -2:])) == with_own[:, -2:].size


def test_report_and_cached_features_follow_from_the_entry(code):
    assert active_augmentations(FADED) == ("fade",)
    assert describe_augmentation(FADED) == "augmentation of fading by up to 0.4"
    assert image_views(FADED) is ImageViews.RANDOM
    assert image_views(TrialConfig()) is ImageViews.STORED
    assert own_ranges(code) == {"fade": Float(0, 0.5), "tone": Choice("off", "light", "dark")}


def test_a_process_that_runs_no_code_can_describe_it(code):
    register_descriptions(code)
    assert describe_augmentation(FADED) == "augmentation of fading by up to 0.4"


def unchanged(images, draws, strength):
    return images


def declared(function=unchanged, **options):
    def fade(images, draws, strength):
        return function(images, draws, strength)

    return augmentation(**{"strength": Float(0, 1), **options})(fade)


def beside(images, draws, strength):
    return images.flip(0)


def random(images, draws, strength):
    return torch.rand_like(images)


WRONG = {
    "no strength": (unchanged, "has no strength"),
    "a range that is never off": (declared(strength=Float(0.1, 1)), "a range begins at 0, which is off"),
    "too many draws": (declared(draws=1000), "takes 1000 draws"),
    "no range": (declared(strength=0.3), "its strength is 0.3"),
    "another shape": (declared(lambda images, d, s: images[:, :, 1:]), "return images alike"),
    "another type": (declared(lambda images, d, s: images.double()), "returns torch.float64"),
    "no images": (declared(lambda images, d, s: None), "returns NoneType"),
    "another range": (declared(lambda images, d, s: 255 * images), "clamp them to 0 and 1"),
    "random numbers of its own": (declared(random), "take random numbers from `draws` alone"),
    "other images": (declared(beside), "beside other images"),
    "a label that formats anything": (declared(label="{.__class__}"), "its label is"),
    "a label of another type": (declared(label="{:.3g}", strength=Choice("off", "on")), "its label is"),
    "raises": (declared(lambda images, d, s: images.nothing), "raises AttributeError"),
    "arguments": (augmentation(strength=Int(0, 3))(lambda images: images), "an augmentation takes"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_no_search_can_use_is_refused_in_one_line(case):
    found, message = WRONG[case]
    with pytest.raises(UserError, match=message) as caught:
        describe_augmentation_part(found)
    assert "\n" not in str(caught.value)


def test_one_for_colours_alone_is_taken():
    def first_and_second(images, draws, strength):
        return torch.stack([images[:, 1], images[:, 0], images[:, 2]], dim=1)

    assert describe_augmentation_part(declared(first_and_second, draws=0))["draws"] == 0


def test_a_name_that_is_there_already_is_refused(tmp_path):
    (tmp_path / "my_aug.py").write_text(SOURCE.replace("def fade", "def flip"))
    with pytest.raises(UserError, match="is called 'flip', as a hyperparameter of searchspace's own is"):
        collect([("augmentation", f"{tmp_path}/my_aug.py:flip")])
