"""What a cluster can hold, and which models it can search."""

import pytest

from searchspace.preflight import choose_models, count_slots
from searchspace.spec import make_spec
from trainables.errors import UserError


@pytest.mark.parametrize(
    ("options", "resources", "slots", "gpus"),
    [
        ({}, {"CPU": 2}, 2, 0),
        ({"workers_per_trial": 2}, {"CPU": 2}, 1, 0),
        ({"cpus_per_worker": 0.5}, {"CPU": 2}, 4, 0),
        ({}, {"CPU": 16, "GPU": 2}, 2, 1),
        ({"gpus_per_worker": 0.25}, {"CPU": 16, "GPU": 1}, 4, 0.25),
        ({"gpus_per_worker": 1 / 3}, {"CPU": 16, "GPU": 1}, 3, 1 / 3),
        ({"gpus_per_worker": 0.0}, {"CPU": 16, "GPU": 2}, 16, 0),
        ({"max_concurrent": 3}, {"CPU": 16}, 3, 0),
        ({"trials": 5}, {"CPU": 16}, 5, 0),
        ({"gpus_per_worker": 0.125}, {"CPU": 4, "GPU": 1}, 4, 0.125),
    ],
)
def test_slots_are_what_the_scarcest_resource_holds(options, resources, slots, gpus):
    assert count_slots(make_spec(name="x", **options), resources) == (slots, gpus)


def test_a_gang_that_no_cluster_of_this_size_holds_is_refused():
    with pytest.raises(UserError, match="one trial needs 4 GPUs, the cluster has 2"):
        count_slots(make_spec(name="x", workers_per_trial=4, gpus_per_worker=1.0), {"CPU": 64, "GPU": 2})


def test_default_backbones_without_weights_are_dropped_with_a_line():
    said: list[str] = []
    chosen = choose_models(make_spec(name="x"), gpu=True, say=said.append)
    assert chosen == ("convnet", "tf_efficientnet_lite0", "resnet")
    assert len(said) == 5
    assert all("neither cached nor downloadable" in line for line in said)


def test_a_pinned_model_is_the_only_one_searched():
    spec = make_spec(name="x", pins={"model": "resnet"})
    assert choose_models(spec, gpu=False, say=print) == ("resnet",)
