"""Which models a cluster can search."""

import pytest

from searchspace.preparation.preflight import GPU_MODELS, check_name, check_trainable, choose_models
from searchspace.spec import make_spec
from trainables.common.errors import UserError
from trainables.config import TrialConfig
from trainables.models.efficientnet_lite import PACKAGED


def test_default_backbones_without_weights_are_dropped_with_a_line(logged):
    chosen = choose_models(make_spec(name="x"), gpu=True)
    assert chosen == ("convnet", *PACKAGED, "resnet")
    assert len(logged) == 5
    assert all("neither cached nor downloadable" in line for line in logged)


def test_a_pinned_model_is_the_only_one_searched():
    spec = make_spec(name="x", pins={"model": "resnet"})
    assert choose_models(spec, gpu=False) == ("resnet",)


def test_batches_too_small_for_the_workers_are_refused_before_the_search(digits):
    few = digits.model_copy(update={"train": 5, "val": 3})
    with pytest.raises(UserError, match=r"^--workers-per-trial 3: 3 workers with batch_size 4: of 5 training images"):
        check_trainable(TrialConfig(batch_size=4), 3, few)
    check_trainable(TrialConfig(batch_size=4), 2, few)
    with pytest.raises(UserError, match="of 9 training images, the smallest batch has 4"):  # only the winner's
        check_trainable(TrialConfig(batch_size=8), 5, digits.model_copy(update={"train": 8, "val": 1}))


@pytest.mark.parametrize("name", GPU_MODELS)
def test_the_default_backbones_take_any_size(digits, name):
    for size in (64, 75, 97, 224):
        check_trainable(TrialConfig(model=name, input_size=size), 1, digits)


@pytest.mark.parametrize("results", ["/proc/x", "file/results", "/dev/null/results"])
def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_prepared(tmp_path, monkeypatch, results):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=f"^--results .*{results}.: (nothing can be written in |.* is a file)"):
        check_name(make_spec(name="x", results=results))


def test_a_folder_that_can_be_made_is_not_made_by_asking(tmp_path):
    check_name(make_spec(name="x", results=str(tmp_path / "a" / "b")))
    assert not list(tmp_path.iterdir())
