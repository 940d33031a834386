"""Private parts of Ray that workers and the broker use. Those of Ray Train's controller are in `ray_train_compat`.

`test_ray_compat.py` names the part that a release of Ray has changed.
"""

import asyncio
import os
from typing import Any

PREEMPTION_WATCHER = "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER"
"""Environment variable: `0` where no node is preempted, so that Ray Train starts no watcher."""


def is_preempted() -> bool:
    """Whether a node of this worker's gang is about to be taken away; every worker calls this as often as the others.

    Looks at what Ray Train's watcher has told this worker. The public `ray.train.get_preemption_info`, the fallback,
    asks another actor and waits for all workers: some milliseconds an epoch.
    """
    if os.environ.get(PREEMPTION_WATCHER) == "0":
        return False
    try:
        from ray.train.v2._internal.execution.context import get_train_context

        return get_train_context().preemption_context.preemption_info is not None
    except (ImportError, AttributeError):
        import ray.train

        public: Any = getattr(ray.train, "get_preemption_info", lambda: None)
        return public() is not None


async def is_dead(actor: Any, timeout: float) -> bool:
    """Whether an actor has died; one that does not answer within `timeout` seconds is busy."""
    from ray.exceptions import RayActorError

    try:
        await asyncio.wait_for(asyncio.wrap_future(actor.__ray_ready__.remote().future()), timeout)
    except RayActorError:
        return True
    except TimeoutError:
        return False
    return False


def node_address() -> str:
    """Address of this node, as Ray knows it."""
    import ray

    here: Any = ray.util  # which Ray leaves untyped
    return str(here.get_node_ip_address())
