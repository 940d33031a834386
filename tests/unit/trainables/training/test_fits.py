"""Training on squares of images of several sizes."""

import numpy as np
import pytest
import torch

from tests.helpers.images.photos import write_photos
from tests.helpers.training import CPU, assignment, train, weights
from trainables.augmentation.augmentation_registry import CROP_DRAWS, DRAW_COLUMNS
from trainables.config import TrialConfig
from trainables.data.data_options import DataOptions
from trainables.data.loading import square_views
from trainables.data.loading.epoch_plan import Mixing, epoch_plan
from trainables.data.loading.square_fit import FIT_KINDS, SquareFit, fit_image
from trainables.data.loading.square_loaders import SquareLoader
from trainables.data.store.store import Store, open_store, prepare_data
from trainables.models.build_model import build_model
from trainables.training.loop import TrialRun
from trainables.training.trial_outputs import write_preview
from trainables.workers.worker_context import WorkerContext

SMALL = TrialConfig(width=8, depth=1, lr=1e-2, batch_size=32, input_size=24)


@pytest.fixture(scope="module")
def photos(tmp_path_factory, cache) -> Store:
    """Photographs, stored whole."""
    folder = write_photos(tmp_path_factory.mktemp("photos") / "p", {"train": 40, "val": 10, "test": 10})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEARCHSPACE_CACHE", str(cache))
        return open_store(prepare_data(str(folder), options=DataOptions(keep_aspect=True)))


@pytest.fixture
def darkroom(photos, place) -> WorkerContext:
    """A worker with these photographs; one thread, in single precision."""
    return WorkerContext.open(place.group, photos, memory_gb=1e-3)


def expected_squares(store: Store, fit: SquareFit, rows) -> np.ndarray:
    out = np.empty((len(rows), 3, fit.side, fit.side), np.uint8)
    for square, row in zip(out, rows, strict=True):
        fit_image(store.stored.image(row), fit, square)
    return out


@pytest.mark.parametrize("kind", FIT_KINDS)
def test_a_network_sees_squares_by_its_fit(darkroom, photos, kind):
    spec = build_model(SMALL.model_copy(update={"fit": kind}), photos.summary).preprocess.spec
    assert spec.fit == kind
    assert bool(spec.fill) == (kind == "pad")
    rows = np.array([3, 50, 3])
    found = darkroom.images_for(spec).load(rows)
    assert np.array_equal(found.numpy(), expected_squares(photos, spec.square_fit, rows))


def test_what_lies_at_the_edge_is_learnt_unless_it_is_cropped(darkroom, tmp_path):
    scores = {}
    for kind in FIT_KINDS:
        run = TrialRun(assignment(tmp_path / kind, SMALL.model_copy(update={"fit": kind}), max_epochs=4), darkroom)
        scores[kind] = train(run)[-1].accuracy
    assert scores["stretch"] > 0.7
    assert scores["pad"] > 0.7
    assert scores["crop"] < scores["stretch"]


@pytest.mark.parametrize("changes", [{}, {"crop_scale": 0.5, "mixup": 0.4, "flip": "random"}], ids=["whole", "parts"])
def test_squares_from_the_disk_are_those_made_while_training(darkroom, photos, tmp_path, monkeypatch, changes):
    config = SMALL.model_copy(update={"fit": "pad", **changes})
    stored = TrialRun(assignment(tmp_path / "a", config, max_epochs=2), darkroom)
    reports = train(stored)
    monkeypatch.setattr(square_views, "MAX_VIEW_BYTES", 0)
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "cache"))
    made = TrialRun(assignment(tmp_path / "b", config, max_epochs=2), WorkerContext.open(CPU, photos))
    assert isinstance(made.data, SquareLoader)
    assert [report.train_loss for report in train(made)] == [report.train_loss for report in reports]
    assert all(torch.equal(weights(made)[name], value) for name, value in weights(stored).items())


def test_parts_are_the_same_for_any_number_of_workers():
    def plan(shard):
        return list(epoch_plan(24, 8, 5, 1, Mixing(mixup=0.4), shard))

    columns = [DRAW_COLUMNS[name] for name in CROP_DRAWS]
    for whole, first, second in zip(plan((0, 1)), plan((0, 2)), plan((1, 2)), strict=True):
        for rank, share in enumerate((first, second)):
            assert np.array_equal(share.draws[:, columns], whole.draws[rank::2, columns])
            assert np.array_equal(share.partner_draws, whole.partner_draws[rank::2])
        by_row = dict(zip(whole.rows.tolist(), whole.draws.tolist(), strict=True))
        assert [by_row[row] for row in whole.partners.tolist()] == whole.partner_draws.tolist()


def test_parts_of_equal_images_are_trained_on_too(place, tmp_path):
    run = TrialRun(assignment(tmp_path, SMALL.model_copy(update={"crop_scale": 0.6, "input_size": 0})), place)
    assert run.model.preprocess.spec.fit == ""
    (batch, inputs), *_ = run.batches.load_ahead(epoch_plan(len(run.rows), 64, 0, 0, Mixing()))
    assert inputs.shape == (len(batch.rows), 1, 8, 8)
    assert not torch.equal(inputs, run.data.load(run.rows[batch.rows]))
    assert train(run)[-1].accuracy > 0.5


def test_damaged_squares_are_made_again(darkroom, photos):
    fit = SquareFit("stretch", 20)
    first = np.array(square_views.open_views(photos, fit))
    folder = square_views.views_folder(photos, fit)
    (folder / square_views.SQUARES_FILE).write_bytes(b"")
    assert np.array_equal(square_views.open_views(photos, fit), first)


def test_the_latest_squares_stay_in_memory(darkroom):
    first, second = SquareFit("stretch", 20), SquareFit("crop", 20)
    loader = darkroom.squares.of(first)
    assert darkroom.squares.of(first) is loader
    assert darkroom.feature_bytes == darkroom.budget - loader.memory_bytes
    assert darkroom.squares.of(second) is not loader


def test_the_preview_shows_random_parts(darkroom, tmp_path):
    from PIL import Image

    run = TrialRun(assignment(tmp_path, SMALL.model_copy(update={"crop_scale": 0.3})), darkroom)
    write_preview(tmp_path, run)
    sheet = np.asarray(Image.open(tmp_path / "augmented.png").convert("RGB"))
    assert not np.array_equal(sheet[:24, :24], sheet[:24, 27:51])
