"""An SSH tunnel: forwards a port of this machine to a loopback port of the remote host."""

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from trainables.common.errors import UserError

SSH_OPTIONS = (
    "-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes",
    "-o", "ControlMaster=no", "-o", "ControlPath=none",  # a connection that is shared would outlive this one
)  # fmt: skip
"""What comes first, because SSH takes the first word on anything."""
TUNNEL_TIMEOUT_S = 60.0
"""Seconds until the port leads there."""


@contextmanager
def tunnel(command: Sequence[str], port: int, name: str) -> Iterator[int]:
    """A port of 127.0.0.1 that leads to `port` of the other end's loopback, while this is entered.

    `command` is `ssh OPTIONS USER@HOST`; raises `UserError` about `name` where it does not get there.
    """
    local, (ssh, *rest) = free_port(), command
    forward = ("-N", "-L", f"127.0.0.1:{local}:127.0.0.1:{port}")
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(  # noqa: S603  # a list, from the user's own file
            [ssh, *forward, *SSH_OPTIONS, *rest],
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
            start_new_session=True,
        )  # its own session: Ctrl-C here is not its business
        try:
            deadline = time.monotonic() + TUNNEL_TIMEOUT_S
            while not _answers(local):
                if process.poll() is not None or time.monotonic() > deadline:
                    told.seek(0)
                    lines = told.read().decode(errors="replace").split("\n")
                    said = [line.strip() for line in lines if line.strip() and not line.startswith("Warning: Perm")]
                    raise UserError(f"{name}: its head does not answer by SSH ({said[-1] if said else 'no reason'})")
                time.sleep(0.1)
            yield local
        finally:
            process.terminate()
            process.wait()


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens at now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True
