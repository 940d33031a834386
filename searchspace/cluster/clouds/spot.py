"""Watches a spot node's notice and drains the node: `python -m searchspace.cluster.clouds.spot aws`.

A cloud notifies a spot machine before it is reclaimed: AWS two minutes, Google half a minute before. Ray does not read
this notice. A drained node gets no new work, and Ray Train notifies its workers, which save a checkpoint.

AWS's rebalance recommendation is ignored: most machines that get one keep running, and giving one up costs its
trial's epoch and minutes to start a new machine.

Only the standard library is used, so that it costs a node some MB and no start-up time.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException

METADATA = "169.254.169.254"
"""Where both clouds answer a machine's questions about itself."""
GOOGLE_NOTICE = 30.0
"""Seconds from Google's notice to the end."""
NOTICE_INTERVAL_S = 2.0
"""Seconds between two looks."""
METADATA_TIMEOUT_S = 1.0
"""Seconds that an answer may take; it comes from the machine's own host."""

Look = Callable[[str], float | None]
"""Seconds that are left to this machine, by its metadata server; None while there is no notice."""


def aws(metadata: str) -> float | None:
    """AWS, by the second version of its metadata service, which wants a token first."""
    token = _ask(metadata, "PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
    notice = _ask(metadata, "GET", "/latest/meta-data/spot/instance-action", {"X-aws-ec2-metadata-token": token or ""})
    if notice is None:
        return None
    end = datetime.fromisoformat(json.loads(notice)["time"])
    return max(0.0, (end - datetime.now(UTC)).total_seconds())


def gcp(metadata: str) -> float | None:
    """Google."""
    notice = _ask(metadata, "GET", "/computeMetadata/v1/instance/preempted", {"Metadata-Flavor": "Google"})
    return GOOGLE_NOTICE if notice == "TRUE" else None


def _ask(metadata: str, method: str, path: str, headers: dict[str, str]) -> str | None:
    """The server's answer; None where it has nothing at that path. Raises for any other refusal."""
    with closing(HTTPConnection(metadata, timeout=METADATA_TIMEOUT_S)) as server:
        server.request(method, path, headers=headers)
        answer = server.getresponse()
        text = answer.read().decode().strip()
    if answer.status == 404:
        return None
    if answer.status != 200:
        raise HTTPException(f"{method} {path}: {answer.status} {answer.reason}")
    return text


CLOUDS: dict[str, Look] = {"aws": aws, "gcp": gcp}


def watch(look: Look, metadata: str, every: float) -> float:
    """Wait for the notice; how many seconds are left. A server that does not answer is asked again."""
    while True:
        try:
            left = look(metadata)
        except (OSError, HTTPException, ValueError, KeyError) as error:
            print(f"spot: {error}", file=sys.stderr, flush=True)
            left = None
        if left is not None:
            return left
        time.sleep(every)


def drain(left: float) -> None:
    """Tell Ray that this node goes in `left` seconds; again until Ray takes it or the time is up."""
    end = time.monotonic() + left
    while (remaining := end - time.monotonic()) > 0:
        done = subprocess.run(  # noqa: S603  # Ray's own command, with fixed arguments
            [  # noqa: S607  # by its name, as the node's start commands call it
                "ray", "drain-node", "--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "spot notice",
                "--deadline-remaining-seconds", str(int(remaining)),
            ],
            check=False,
        )  # fmt: skip
        if done.returncode == 0:
            print(f"spot: drained with {remaining:.0f} s left", flush=True)
            return
        time.sleep(1)


def main() -> None:
    """Watch until the notice, drain, and end."""
    parser = argparse.ArgumentParser(description="Drains this Ray node when its cloud is about to take it away.")
    parser.add_argument("cloud", choices=CLOUDS)
    parser.add_argument("--metadata", default=METADATA, help="the metadata server")
    parser.add_argument("--every", type=float, default=NOTICE_INTERVAL_S, help="seconds between two looks")
    given = parser.parse_args()
    drain(watch(CLOUDS[given.cloud], given.metadata, given.every))


if __name__ == "__main__":
    main()
