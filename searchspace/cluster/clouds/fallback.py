"""Machines in price order: where a cloud has none of one kind, the next kind is asked for.

Ray's autoscaler has a `priority` for its node types, but asks for the first again and again, second after second, while
the cloud refuses it (Ray 2.60, autoscaler v2: only a machine that starts and then never joins counts as unavailable).
So one node type lists its kinds of machine, and the node provider goes through them.
"""

from collections.abc import Iterator
from typing import Any, Protocol

ALTERNATIVES = "otherwise"
"""Key of a `node_config` that lists, in order, what to change in it when the cloud has no such machine."""


class Launcher(Protocol):
    """A node provider's own way to create nodes of one kind."""

    def __call__(self, node_config: dict[str, Any], tags: dict[str, str], count: int) -> dict[str, Any] | None:
        """Create up to `count` nodes; what was created, by name. Raises where there is none to be had."""


def machine_kinds(node_config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The configurations to try, cheapest first, as the cloud takes them."""
    plain = {key: value for key, value in node_config.items() if key != ALTERNATIVES}
    yield plain
    for changes in node_config.get(ALTERNATIVES, []):
        yield plain | changes


def launch_in_order(launch: Launcher, node_config: dict[str, Any], tags: dict[str, str], count: int) -> dict[str, Any]:
    """Create `count` nodes of the first kinds that are to be had; fewer, if the cloud has not as many.

    Raises the last kind's refusal if no node was created. The reason of a refusal is not examined: a missing permission
    fails for every kind, and is then raised.
    """
    made: dict[str, Any] = {}
    refusal: Exception | None = None
    for kind in machine_kinds(node_config):
        try:
            made |= launch(kind, dict(tags), count - len(made)) or {}
        except Exception as error:  # each cloud has its own, and some are plain `Exception`
            refusal = error
        if len(made) >= count:
            break
    if refusal and not made:
        raise refusal
    return made
