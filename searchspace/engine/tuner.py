"""Tune's tuner, whose loop runs in this process, where the study and the terminal are; by Ray Client, too."""

from pathlib import Path
from typing import Any

import ray
from ray import tune


def make_tuner(scratch: Path, **options: Any) -> Any:
    """A `tune.Tuner` of `options`; by Ray Client (`ray://`) one that Ray does not move to the cluster.

    `scratch` is a folder for what Tune leaves beside its own.
    """
    client: Any = ray.util.client.ray
    if not client.is_connected():
        return tune.Tuner(**options)
    from ray.train._internal import storage
    from ray.tune.impl.tuner_internal import TunerInternal

    # A client is no node, so it has no session whose folder this could be.
    vars(storage)["_get_ray_train_session_dir"] = lambda: str(scratch)
    return TunerInternal(**options, _tuner_kwargs={"_remote": False})
