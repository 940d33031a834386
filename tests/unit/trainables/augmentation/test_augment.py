"""Augmentation: what each draw does to real pixels, and what the registry's entries have to have."""

from pkgutil import resolve_name

import numpy as np
import optuna
import pytest
import torch

from searchspace.spaces import suggest_augmentation
from trainables.augmentation.augment import augment, mix
from trainables.augmentation.augmentation_registry import (
    AUGMENTATIONS,
    DRAW_COLUMNS,
    FIRST_DRAWS,
    ImageViews,
    active_augmentations,
    describe_augmentation,
    image_views,
    pixel_augmentations,
)
from trainables.config import TrialConfig
from trainables.data.loading.epoch_plan import Mixing, PlannedBatch, epoch_plan
from trainables.training.batches import TrainingBatches
from trainables.training.features.feature_set import learns_from_features

FLIPPED, STRONG = TrialConfig(flip="random"), TrialConfig(augment_strength=1.0)
BOTH = TrialConfig(augment_strength=1.0, flip="random")
MIRROR, ERASE = DRAW_COLUMNS["mirror"], DRAW_COLUMNS["erase"]
ADVICE = "trainables/augmentation/augmentation_registry.py, augmentation {!r}: {}"


def draws(count: int, value: float = 0.5) -> torch.Tensor:
    return torch.full((count, len(DRAW_COLUMNS)), value)


def random_draws(count: int, seed: int) -> torch.Tensor:
    return torch.rand(count, len(DRAW_COLUMNS), generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(6, 3, 12, 12, generator=torch.Generator().manual_seed(0))


def switched_on(name: str) -> TrialConfig:
    """The default configuration with one augmentation at its strongest."""
    entry = AUGMENTATIONS[name]
    return TrialConfig(**{name: entry.choices[-1] if entry.choices else entry.high})


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_an_entry_of_the_registry_is_whole(name, images):
    """Says what is missing or wrong about an entry, whether it was just added or is old."""
    entry = AUGMENTATIONS[name]
    assert name in TrialConfig.model_fields, ADVICE.format(
        name, "trainables/config.py: add the field of that name to TrialConfig; its default switches it off"
    )
    assert bool(entry.choices) != (entry.low < entry.high), ADVICE.format(
        name, "give either `choices` or a range from `low` to `high` to search"
    )
    config, off = switched_on(name), TrialConfig.model_fields[name].default
    assert active_augmentations(config) == (name,), ADVICE.format(name, f"the last value to search is {off!r}, off")
    assert f"{getattr(config, name)}".removesuffix(".0") in describe_augmentation(config), ADVICE.format(
        name, "`description` says what it does, with {} for the field's value"
    )
    assert image_views(config) is not ImageViews.STORED
    frozen = TrialConfig(model="tf_efficientnet_lite0", freeze="all")
    assert learns_from_features(frozen)
    assert not learns_from_features(frozen.model_copy(update={name: getattr(config, name)}))
    suggested = suggest_augmentation(optuna.create_study().ask(), name)
    assert TrialConfig(**{name: suggested})
    if entry.function:
        function = resolve_name(entry.function)
        changed = function(images, random_draws(6, 0), config)
        assert changed.shape == images.shape
        assert not torch.equal(changed, images), ADVICE.format(name, "`function` leaves images as they are")
        assert 0 <= changed.min() <= changed.max() <= 1, ADVICE.format(name, "`function` leaves the range 0 to 1")
    else:
        assert name in {"mixup", "cutmix", "crop_scale", "cached_views"}, ADVICE.format(
            name, "without a `function` nothing is changed; mixtures are made by `mix`, parts are read by loaders"
        )


def test_every_draw_has_a_name_of_its_own():
    own = [name for entry in AUGMENTATIONS.values() for name in entry.draws]
    assert len({*FIRST_DRAWS, *own}) == len(FIRST_DRAWS) + len(own) == len(DRAW_COLUMNS)
    assert [DRAW_COLUMNS[name] for name in FIRST_DRAWS] == list(range(13)), "these stay as every search has drawn them"


def test_an_augmentation_that_draws_leaves_the_draws_of_others_alone():
    """The same seed gives the same images as before there were augmentations with draws of their own."""
    rng = np.random.default_rng([3, 1])
    order = rng.permutation(50)
    expected = rng.random((50, len(FIRST_DRAWS)), dtype=np.float32)
    x = rng.random(3)[1]
    (batch,) = epoch_plan(50, 50, seed=3, epoch=1, mixing=Mixing(cutmix=1.0))
    assert np.array_equal(batch.rows, order)
    assert np.array_equal(batch.draws[:, : len(FIRST_DRAWS)], expected)
    assert np.mean(batch.cutmix[1::2]) == pytest.approx(x, abs=0.5)
    own = batch.draws[:, len(FIRST_DRAWS) :]
    assert abs(np.corrcoef(own.T)[0, 1]) < 0.5
    assert not np.array_equal(own, next(epoch_plan(50, 50, 3, 2, Mixing())).draws[:, len(FIRST_DRAWS) :])


@pytest.mark.parametrize(
    ("change", "views"),
    [({}, 1), ({"flip": "alternating"}, 2), ({"flip": "random", "translate": 2}, 0), ({"mixup": 0.2}, 0)],
    ids=str,
)
def test_how_many_views_of_an_image_there_are(change, views):
    assert TrainingBatches(TrialConfig(**change), None, np.arange(3), None).views == views


def test_without_any_strength_it_is_the_identity(images):
    assert augment(images, random_draws(6, 0), TrialConfig()) is images


def test_flip_mirrors_the_images_whose_draw_says_so(images):
    chosen = draws(6, 0.9)
    chosen[:2, MIRROR] = 0.1
    flipped = augment(images, chosen, FLIPPED)
    assert torch.equal(flipped[:2], images[:2].flip(-1))
    assert torch.equal(flipped[2:], images[2:])


def test_middle_draws_leave_images_alone_at_any_strength(images):
    chosen = draws(6)
    chosen[:, ERASE] = 0.99
    assert torch.allclose(augment(images, chosen, STRONG), images, atol=1e-5)
    assert torch.equal(augment(images, chosen, TrialConfig(translate=4)), images)


def test_flip_within_the_affine_is_the_same_mirror(images):
    chosen = draws(6)
    chosen[:, MIRROR], chosen[:, ERASE] = 0.1, 0.99
    assert torch.allclose(augment(images, chosen, BOTH), images.flip(-1), atol=1e-5)


def test_each_image_depends_on_its_own_draws_alone(images):
    chosen, config = random_draws(6, 1), TrialConfig(augment_strength=0.7, flip="random", translate=2)
    together = augment(images, chosen, config)
    alone = torch.cat([augment(images[i : i + 1], chosen[i : i + 1], config) for i in range(6)])
    assert torch.allclose(together, alone, atol=1e-6)


def test_stronger_moves_further_and_stays_in_range(images):
    chosen = random_draws(6, 2)
    weak, strong = augment(images, chosen, TrialConfig(augment_strength=0.05)), augment(images, chosen, STRONG)
    assert (weak - images).abs().mean() < (strong - images).abs().mean()
    assert strong.min() >= 0
    assert strong.max() <= 1


def test_erasing_greys_a_box_of_at_most_a_quarter(images):
    chosen = draws(6)
    chosen[:, ERASE], chosen[:, DRAW_COLUMNS["erase_area"]] = 0.0, 0.999
    out = augment(torch.zeros_like(images), chosen, STRONG)
    assert 0.1 < (out == 0.5).float().mean() <= 0.26


@pytest.mark.parametrize(("across", "down"), [(0.999, 0.5), (0.0, 0.5), (0.5, 0.999), (0.5, 0.0)], ids=str)
def test_translation_shifts_by_whole_pixels_and_reflects_the_edge(images, across, down):
    """The largest draw shifts by `translate` to the right, or downwards; the smallest the other way."""
    chosen = draws(6)
    chosen[:, DRAW_COLUMNS["translate_x"]], chosen[:, DRAW_COLUMNS["translate_y"]] = across, down
    padded = torch.nn.functional.pad(images, (3, 3, 3, 3), mode="reflect")
    left, top = (3 - 3 * (draw == 0.999) + 3 * (draw == 0.0) for draw in (across, down))
    expected = padded[..., top : top + 12, left : left + 12]
    assert torch.equal(augment(images, chosen, TrialConfig(translate=3)), expected)


def test_every_shift_is_as_likely_and_none_leaves_the_image():
    ramp = torch.arange(5.0).expand(1000, 1, 5, 5) / 5
    centres = augment(ramp, random_draws(1000, 3), TrialConfig(translate=2))[:, 0, 2, 2]
    counts = torch.bincount((5 * centres).round().long(), minlength=5)
    assert counts.min() > 150
    tiny = augment(ramp[..., :2, :2], random_draws(1000, 4), TrialConfig(translate=64))
    assert set(tiny.unique().tolist()) <= set(ramp[..., :2].unique().tolist())


def planned(mixup=1.0, cutmix=(0.0, 0.0, 0.0, 0.0)) -> PlannedBatch:
    rows = np.arange(6)
    return PlannedBatch(rows, np.roll(rows, 1), *[np.zeros((6, len(DRAW_COLUMNS)), np.float32)] * 2, 6, mixup, cutmix)


def test_mixup_is_the_weighted_mean(images):
    mixed, share = mix(images, images.roll(1, 0), planned(mixup=0.3))
    assert share == 0.3
    assert torch.allclose(mixed, 0.3 * images + 0.7 * images.roll(1, 0), atol=1e-6)


def test_cutmix_pastes_a_box_and_counts_its_pixels(images):
    partners = images.roll(1, 0)
    mixed, share = mix(images, partners, planned(cutmix=(0.25, 0.5, 0.75, 1.0)))
    assert torch.equal(mixed[..., 3:9, 6:12], partners[..., 3:9, 6:12])
    assert torch.equal(mixed[..., :3, :], images[..., :3, :])
    assert share == pytest.approx(1 - 36 / 144)


def test_pixel_augmentations_are_those_that_need_no_partner():
    assert pixel_augmentations(TrialConfig(flip="random", mixup=0.2, translate=1)) == ("translate", "flip")
