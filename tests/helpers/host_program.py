"""Programs that call `searchspace.search` in a process of their own, and what they say of themselves.

`python -m tests.helpers.host_program SCENARIO` prints one line of JSON; it is started in an empty folder.
"""

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import psutil

import searchspace

TINY: searchspace.SearchOptions = {
    "models": ["convnet"], "set": {"width": 8, "depth": 1}, "trials": 2, "max_epochs": 2, "grace_epochs": 1,
    "finalists": 1, "final_seeds": 1, "formats": ["onnx"],
}  # fmt: skip


def host_state() -> dict[str, Any]:
    """All of this process that a search must leave as it is."""
    mask = os.umask(0o022)
    os.umask(mask)
    return {
        "signals": {int(number): repr(signal.getsignal(number)) for number in signal.valid_signals()},
        "loggers": {
            name: (logger.level, logger.propagate, [repr(handler) for handler in logger.handlers])
            for name in ("", "searchspace", "searchspace.search", "trainables", "ray", "optuna")
            for logger in [logging.getLogger(name)]
        },
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "mask": mask,
        "streams": [sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__],
        "descriptors": sorted(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "children": [child.name() for child in psutil.Process().children(recursive=True)],
    }


def search_twice() -> dict[str, Any]:
    """A whole search, and another one in the same process that a callback stops."""
    searchspace.load  # noqa: B018  # what is imported for results, such as Optuna, is no part of the comparison
    events: list[searchspace.SearchEvent] = []
    threads = set()

    def hear(event: searchspace.SearchEvent) -> None:
        threads.add(threading.current_thread() is threading.main_thread())
        events.append(event)

    before = host_state()
    result = searchspace.search("digits", name="whole", callbacks=[hear], **TINY)
    after = host_state()
    heard: list[str] = []
    stopped = searchspace.search("digits", name="stopped", callbacks=[_stop_at_epoch(heard)], **TINY)
    return {
        "before": before, "after": after, "in main thread": list(threads),
        "events": [json.loads(event.model_dump_json()) for event in events],
        "folder": str(result.folder), "finished": result.is_finished, "test accuracy": result.metrics.accuracy,
        "stopped finished": stopped.is_finished, "stopped events": heard,
    }  # fmt: skip


def _stop_at_epoch(heard: list[str]) -> Callable[[searchspace.SearchEvent], None]:
    def stop(event: searchspace.SearchEvent) -> None:
        heard.append(event.type)
        if isinstance(event, searchspace.EpochEnded):
            raise searchspace.StopSearch

    return stop


def search_on_own_ray() -> dict[str, Any]:
    """A search within a Ray that this program began, interrupted as by Ctrl-C."""
    import ray

    searchspace.load  # noqa: B018
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    before = host_state()
    messages: list[str] = []
    started: list[str] = []

    def interrupt(event: searchspace.SearchEvent) -> None:
        if isinstance(event, searchspace.EpochEnded) and not messages:
            messages.append("interrupted")
            started.extend(child.name() for child in psutil.Process().children(recursive=True))
            os.kill(os.getpid(), signal.SIGINT)

    try:
        searchspace.search("digits", name="joined", callbacks=[interrupt], **TINY)
    except searchspace.SearchInterrupted as stop:
        messages.append(str(stop))
    after = host_state()
    alive = ray.get(ray.remote(lambda: 41).remote()) + 1
    before["children"] = after["children"] = []  # Ray's own come and go
    before["threads"] = after["threads"] = before["descriptors"] = after["descriptors"] = []
    is_joined = started.count("gcs_server") == 1
    return {"before": before, "after": after, "messages": messages, "alive": alive, "joined": is_joined}


def search_until_killed() -> dict[str, Any]:
    """Print a line at the first epoch, and search on."""

    def tell(event: searchspace.SearchEvent) -> None:
        if isinstance(event, searchspace.EpochEnded):
            sys.stdout.write("epoch\n")
            sys.stdout.flush()

    searchspace.search("digits", name="orphan", callbacks=[tell], **TINY | {"trials": 50, "max_epochs": 50})
    return {}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(globals()[sys.argv[1]]()) + "\n")
