"""Augmentation: what each draw does to real pixels."""

import numpy as np
import pytest
import torch

from trainables.augmentation.augment import augment, mix
from trainables.data.loading.epoch_plan import DRAWS, FLIP, PlannedBatch


def draws(count: int, value: float = 0.5) -> torch.Tensor:
    return torch.full((count, DRAWS), value)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(6, 3, 12, 12, generator=torch.Generator().manual_seed(0))


def test_strength_zero_is_the_identity(images):
    assert torch.equal(augment(images, torch.rand(6, DRAWS), 0.0, flip=False), images)


def test_flip_mirrors_the_images_whose_draw_says_so(images):
    chosen = draws(6, 0.9)
    chosen[:2, FLIP] = 0.1
    flipped = augment(images, chosen, 0.0, flip=True)
    assert torch.equal(flipped[:2], images[:2].flip(-1))
    assert torch.equal(flipped[2:], images[2:])


def test_middle_draws_leave_images_alone_at_any_strength(images):
    chosen = draws(6)
    chosen[:, 12] = 0.99
    assert torch.allclose(augment(images, chosen, 1.0, flip=False), images, atol=1e-5)


def test_flip_within_the_affine_is_the_same_mirror(images):
    chosen = draws(6)
    chosen[:, FLIP], chosen[:, 12] = 0.1, 0.99
    assert torch.allclose(augment(images, chosen, 1.0, flip=True), images.flip(-1), atol=1e-5)


def test_each_image_depends_on_its_own_draws_alone(images):
    chosen = torch.rand(6, DRAWS, generator=torch.Generator().manual_seed(1))
    together = augment(images, chosen, 0.7, flip=True)
    alone = torch.cat([augment(images[i : i + 1], chosen[i : i + 1], 0.7, flip=True) for i in range(6)])
    assert torch.allclose(together, alone, atol=1e-6)


def test_stronger_moves_further_and_stays_in_range(images):
    chosen = torch.rand(6, DRAWS, generator=torch.Generator().manual_seed(2))
    weak, strong = augment(images, chosen, 0.05, flip=False), augment(images, chosen, 1.0, flip=False)
    assert (weak - images).abs().mean() < (strong - images).abs().mean()
    assert strong.min() >= 0
    assert strong.max() <= 1


def test_erasing_greys_a_box_of_at_most_a_quarter(images):
    chosen = draws(6)
    chosen[:, 12], chosen[:, 9] = 0.0, 0.999
    out = augment(torch.zeros_like(images), chosen, 1.0, flip=False)
    assert 0.1 < (out == 0.5).float().mean() <= 0.26


def planned(mixup=1.0, cutmix=(0.0, 0.0, 0.0, 0.0)) -> PlannedBatch:
    rows = np.arange(6)
    return PlannedBatch(rows, np.roll(rows, 1), np.zeros((6, DRAWS), np.float32), 6, mixup, cutmix)


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
