"""Reaching a cluster's jobs, whichever way it was named."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from searchspace.cluster.submit.head_node import ssh_command
from searchspace.cluster.submit.jobs import Jobs, show_token
from searchspace.cluster.submit.submit_options import SubmitOptions
from searchspace.cluster.submit.tunnel import tunnel

DASHBOARD = 8265
"""Port of a head's dashboard, which listens on its loopback."""


@contextmanager
def reached(options: SubmitOptions) -> Iterator[Jobs]:
    """The cluster's jobs, by a tunnel of one's own where its file was given.

    Raises `UserError` where it does not answer, or not to us.
    """
    show_token()
    with ExitStack() as held:
        url = options.address
        if options.cluster:
            port = held.enter_context(tunnel(ssh_command(options.cluster), DASHBOARD, options.where))
            url = f"http://127.0.0.1:{port}"
        yield Jobs(url, options.where)
