"""How a search stores its images: by the models asked for, and as it was begun."""

import pytest

from searchspace.cli import data_request
from searchspace.preparation.prepare_data import prepare_shared
from searchspace.preparation.storage_options import choose_side, resolve_options
from searchspace.spec import make_spec, save_record
from tests.helpers.images.data_sets import write_images
from trainables.common.errors import DamagedError
from trainables.common.reporter import SilentReporter
from trainables.data.data_options import DataOptions


@pytest.mark.parametrize(
    ("options", "side"),
    [
        ({}, 0),
        ({"models": ("convnet", "resnet18")}, 0),
        ({"models": ("tf_efficientnet_lite0", "efficientnet_b4")}, 366),
        ({"models": ("torchvision/vit_l_16", "torchvision/efficientnet_b7")}, 600),
        ({"models": ("beit_large_patch16_512",)}, 512),
        ({"pins": {"model": "efficientnet_b4"}}, 366),
        ({"pins": {"input_size": 384}}, 384),
        ({"models": ("convnet",), "pins": {"input_size": 64}}, 0),
        ({"models": ("efficientnet_b4",), "pins": {"input_size": 1024}}, 1024),
    ],
    ids=str,
)
def test_the_side_suits_the_models_asked_for(options, side, tmp_path):
    spec = make_spec(name="s", results=str(tmp_path), **options)
    assert choose_side(spec) == side
    assert resolve_options(spec, False).store_side == side
    given = make_spec(name="s", results=str(tmp_path), store_side=100, **options)
    assert resolve_options(given, False).store_side == 100


@pytest.fixture
def photos(tmp_path):
    write_images(tmp_path / "photos" / "a", 12, (30, 50), (250, 0, 0))
    write_images(tmp_path / "photos" / "b", 12, (64, 40), (0, 0, 250))
    return tmp_path / "photos"


def earlier_record(data):
    """The summary as versions recorded it that knew no whole images."""
    record = data.model_dump()
    del record["aspect_kept"], record["options"]["keep_aspect"], record["options"]["store_side"]
    return record


@pytest.mark.parametrize("keep_aspect", [True, False], ids=["whole", "square"])
def test_a_search_keeps_the_store_that_it_was_begun_with(photos, tmp_path, monkeypatch, keep_aspect):
    spec = make_spec(name="s", results=str(tmp_path / "results"), data=str(photos))
    monkeypatch.setattr(data_request, "KEEP_ASPECT", keep_aspect)
    begun = prepare_shared(spec, SilentReporter())
    assert begun.aspect_kept == keep_aspect
    spec.folder.mkdir(parents=True)
    save_record(spec.folder, spec, {"data": begun.model_dump() if keep_aspect else earlier_record(begun)})
    monkeypatch.setattr(data_request, "KEEP_ASPECT", not keep_aspect)
    resumed = prepare_shared(spec, SilentReporter(), resumed=True)
    assert (resumed.path, resumed.fingerprint, resumed.aspect_kept) == (begun.path, begun.fingerprint, keep_aspect)
    other = prepare_shared(spec, SilentReporter())
    assert other.aspect_kept != keep_aspect
    assert other.fingerprint != begun.fingerprint


def test_a_record_with_other_options_is_damaged(tmp_path):
    spec = make_spec(name="s", results=str(tmp_path / "results"))
    spec.folder.mkdir(parents=True)
    save_record(spec.folder, spec, {"data": {"options": {"store_side": "wide"}}})
    with pytest.raises(DamagedError, match=r"data\.options\.store_side"):
        resolve_options(spec, True)


def test_options_without_the_fields_are_those_of_squares():
    assert DataOptions.model_validate({}).key == {}
