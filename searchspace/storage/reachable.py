"""Whether all nodes of a cluster reach the place where a search leaves its results, before any gang starts."""

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


def check_reachable(home: SearchStorage, given: str) -> None:
    """Raise `UserError` naming a node that does not see the folder of all searches, or does not reach the URL.

    `given` is what `--results` said. Nodes that join later are checked by their workers.
    """
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    cluster: Any = ray
    mark = Path(home.folder).parent / f".seen-{uuid.uuid4().hex}"
    create_file(mark, b"")
    try:
        look = ray.remote(_look)
        answers = {
            look.options(
                num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote(home, str(mark)): node["NodeManagerAddress"]
            for node in cluster.nodes() if node["Alive"]
        }  # fmt: skip
        done, _ = ray.wait(list(answers), num_returns=len(answers), timeout=ANSWER_TIMEOUT_S)
        for answer in done:
            wrong = ""
            with suppress(RayError):  # of a node that has gone since
                wrong = ray.get(answer)
            if wrong:
                raise UserError(f"--results {given!r}: node {answers[answer]} {wrong}")
    finally:
        remove_file(mark)


def _look(home: SearchStorage, mark: str) -> str:
    """What is wrong on this node; empty if nothing is."""
    if not home.url:
        fault = "does not see that folder; give one that all nodes share, or s3://BUCKET/PREFIX"
        return "" if Path(mark).is_file() else fault
    try:
        Remote.open(home.url).check()
    except OSError as error:
        return f"does not reach it: {format_storage_error(error)}"
    return ""
