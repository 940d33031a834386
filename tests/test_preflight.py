"""Which models a cluster can search."""

from searchspace.preflight import choose_models
from searchspace.spec import make_spec


def test_default_backbones_without_weights_are_dropped_with_a_line():
    said: list[str] = []
    chosen = choose_models(make_spec(name="x"), gpu=True, say=said.append)
    assert chosen == ("convnet", "tf_efficientnet_lite0", "resnet")
    assert len(said) == 5
    assert all("neither cached nor downloadable" in line for line in said)


def test_a_pinned_model_is_the_only_one_searched():
    spec = make_spec(name="x", pins={"model": "resnet"})
    assert choose_models(spec, gpu=False, say=print) == ("resnet",)
