"""The epoch's plan: every image once, the same for any number of workers."""

import itertools

import numpy as np
import pytest

from trainables.augmentation.augmentation_registry import DRAW_COLUMNS
from trainables.data.loading.epoch_plan import (
    Mixing,
    batch_count,
    check_shares,
    epoch_plan,
    slice_share,
    smallest_batch,
)


@pytest.mark.parametrize(("count", "batch_size"), [(100, 32), (7, 64), (129, 64), (64, 64)])
def test_an_epoch_sees_every_image_once_in_even_batches(count, batch_size):
    batches = list(epoch_plan(count, batch_size, seed=3, epoch=0, mixing=Mixing()))
    assert sorted(np.concatenate([b.rows for b in batches])) == list(range(count))
    sizes = {b.total for b in batches}
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1
    assert len(batches) == batch_count(count, batch_size)


@pytest.mark.parametrize("world", [2, 3])
@pytest.mark.parametrize(
    "mixing", [Mixing(mixup=0.4, cutmix=1.0), Mixing(alternate=True)], ids=["mixed", "alternating"]
)
def test_shards_are_the_one_workers_batches_dealt_out(world, mixing):
    whole = list(epoch_plan(101, 16, 5, 2, mixing))
    shards = [list(epoch_plan(101, 16, 5, 2, mixing, (rank, world))) for rank in range(world)]
    for i, batch in enumerate(whole):
        assert sum(len(s[i].rows) for s in shards) == batch.total
        for rank, shard in enumerate(shards):
            assert np.array_equal(shard[i].rows, batch.rows[rank::world])
            assert np.array_equal(shard[i].draws, batch.draws[rank::world])
            assert np.array_equal(shard[i].partners, batch.partners[rank::world])
            assert (shard[i].mixup, shard[i].cutmix) == (batch.mixup, batch.cutmix)


def test_seed_and_epoch_decide():
    def first(seed, epoch):
        return next(iter(epoch_plan(50, 10, seed, epoch, Mixing()))).rows.tolist()

    assert first(1, 0) == first(1, 0)
    assert first(1, 0) != first(1, 1)
    assert first(1, 0) != first(2, 0)


def test_both_mixtures_take_turns():
    batches = list(epoch_plan(4000, 10, 0, 0, Mixing(mixup=0.4, cutmix=1.0)))
    mixed = sum(b.mixup < 1 for b in batches)
    cut = sum(b.cutmix[2] > b.cutmix[0] for b in batches)
    assert mixed > 100
    assert cut > 100
    assert not any(b.mixup < 1 and b.cutmix[2] > 0 for b in batches)


def mirrored(epoch, seed=3, count=1001):
    flags = np.zeros(count, dtype=bool)
    for batch in epoch_plan(count, 64, seed, epoch, Mixing(alternate=True)):
        flags[batch.rows] = batch.draws[:, DRAW_COLUMNS["mirror"]] < 0.5
    return flags


def test_alternating_flips_mirror_every_image_in_every_other_epoch():
    first = mirrored(0)
    assert 0.4 < first.mean() < 0.6
    assert np.array_equal(mirrored(1), ~first)
    assert np.array_equal(mirrored(2), first)
    assert not np.array_equal(mirrored(0, seed=4), first)


def test_alternating_flips_leave_every_other_draw_alone():
    coin, alternating = (next(epoch_plan(50, 50, 0, 0, Mixing(alternate=on))).draws for on in (False, True))
    others = np.arange(coin.shape[1]) != DRAW_COLUMNS["mirror"]
    assert np.array_equal(coin[:, others], alternating[:, others])
    assert not np.array_equal(coin[:, DRAW_COLUMNS["mirror"]], alternating[:, DRAW_COLUMNS["mirror"]])


def test_no_batch_has_a_single_image():
    for count, batch_size in itertools.product(range(2, 60), range(2, 12)):
        totals = [batch.total for batch in epoch_plan(count, batch_size, 0, 0, Mixing())]
        assert sum(totals) == count
        assert min(totals) == smallest_batch(count, batch_size) >= 2
        assert max(totals) <= max(batch_size, 3), "one more than asked for, only where one image would be left over"
    assert [batch.total for batch in epoch_plan(1, 4, 0, 0, Mixing())] == [1], "there is no more to be had"


def test_every_worker_has_an_image_of_every_batch_or_is_refused():
    refused = 0
    for count, batch_size, world in itertools.product(range(1, 40), range(2, 12), (1, 2, 3, 4)):
        shards = [list(epoch_plan(count, batch_size, 0, 0, Mixing(), (rank, world))) for rank in range(world)]
        if min(len(batch.rows) for shard in shards for batch in shard):
            check_shares(count, batch_size, world)
        else:
            refused += 1
            with pytest.raises(
                ValueError, match=f"^{world} workers with batch_size {batch_size}: of {count} training "
            ):
                check_shares(count, batch_size, world)
    assert refused > 100


def test_workers_cut_their_shares_into_equally_many_slices_without_an_empty_one():
    for total, world, most in itertools.product(range(1, 40), (1, 2, 3), range(12)):
        if total < world:
            continue
        cuts = [slice_share(len(range(rank, total, world)), total, world, most) for rank in range(world)]
        assert len({len(cut) for cut in cuts}) == 1, "their passes meet in batch norm"
        for rank, cut in enumerate(cuts):
            sizes = [part.stop - part.start for part in cut]
            assert [i for part in cut for i in range(part.start, part.stop)] == list(
                range(len(range(rank, total, world)))
            )
            assert min(sizes) > 0
            assert max(sizes) - min(sizes) <= 1, "no small last one"
            assert not most or max(sizes) <= most + (world > 1)
