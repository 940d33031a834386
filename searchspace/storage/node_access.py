"""The check that all nodes of a cluster reach the results folder or URL, before any gang starts."""

import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from trainables.common.errors import UserError
from trainables.storage.files import create_file
from trainables.storage.folders import remove_file
from trainables.storage.object_store.remote import Remote, format_storage_error
from trainables.storage.search_storage import SearchStorage

ANSWER_TIMEOUT_S = 60.0
"""Seconds that all nodes have to answer."""


def check_node_access(home: SearchStorage, given: str) -> None:
    """Raise `UserError` with a node that does not see the results folder, or does not reach the URL.

    `given` is the value of `--results`. Nodes that join later are checked by their workers.
    """
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    cluster: Any = ray
    marker = Path(home.folder).parent / f".seen-{uuid.uuid4().hex}"
    create_file(marker, b"")
    try:
        check = ray.remote(_check_node)
        answers = {
            check.options(
                num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote(home, str(marker)): node["NodeManagerAddress"]
            for node in cluster.nodes() if node["Alive"]
        }  # fmt: skip
        done, _ = ray.wait(list(answers), num_returns=len(answers), timeout=ANSWER_TIMEOUT_S)
        for answer in done:
            fault = ""
            with suppress(RayError):  # of a node that has left since
                fault = ray.get(answer)
            if fault:
                raise UserError(f"--results {given!r}: node {answers[answer]} {fault}")
    finally:
        remove_file(marker)


def _check_node(home: SearchStorage, marker: str) -> str:
    """The fault on this node; empty if there is none."""
    if not home.url:
        fault = "does not see that folder; give one that all nodes share, or s3://BUCKET/PREFIX"
        return "" if Path(marker).is_file() else fault
    try:
        Remote.open(home.url).check()
    except OSError as error:
        return f"does not reach it: {format_storage_error(error)}"
    return ""
