"""Notice that a node is about to be taken away, as Ray Train's watcher passes it on to the workers of a gang."""

import os


def is_preempted() -> bool:
    """Whether a node of this worker's gang is to go soon; always False where no watcher runs.

    Ray Train's own `get_preemption_info` asks another actor each time, some milliseconds an epoch; this looks at what
    the watcher has already told this worker.
    """
    if os.environ.get("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER") == "0":
        return False
    from ray.train.v2._internal.execution.context import get_train_context

    return get_train_context().preemption_context.preemption_info is not None
