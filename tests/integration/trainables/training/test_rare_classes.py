"""Whole trainings with either balance of classes."""

import numpy as np
import pytest

from tests.helpers.class_balance import NETWORKS, one_thread_fp32, place_of, train  # noqa: F401  # a fixture
from trainables.data.store.store import prepare_data


@pytest.fixture(scope="module")
def uneven(cache, tmp_path_factory):
    """Two shades that overlap, one of them with ten times the images to learn from."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEARCHSPACE_CACHE", str(cache))
        root = tmp_path_factory.mktemp("uneven")
        rng = np.random.default_rng(0)
        from PIL import Image

        for part, name, count, level in (
            ("train", "dark", 500, 110), ("train", "light", 50, 142),
            ("val", "dark", 150, 110), ("val", "light", 100, 142),
            ("test", "dark", 10, 110), ("test", "light", 10, 142),
        ):  # fmt: skip
            folder = root / "set" / part / name
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = np.clip(rng.normal(level + rng.normal(0, 12), 20, (8, 8, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")
        return prepare_data(str(root / "set"))


@pytest.mark.usefixtures("one_thread_fp32")
@pytest.mark.parametrize("name", NETWORKS)
def test_either_balance_finds_more_of_the_rare_class(uneven, tmp_path, name):
    place = place_of(uneven)
    last = {
        balance: train(place, tmp_path, NETWORKS[name], balance=balance)[-1] for balance in ("none", "loss", "sampling")
    }
    assert last["none"].accuracy > last["none"].score, "in doubt, it is the large class"
    assert last["loss"].score > last["none"].score
    assert last["sampling"].score > last["none"].score
