"""Places that a search writes to, how much is free there, and how many files it may open."""

import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from searchspace.cleaning.cache_items import measure
from searchspace.cleaning.plan_cleaning import format_size
from searchspace.diagnosis.finding import Finding, State
from searchspace.storage.search_names import RESULTS_FOLDER
from trainables.common.environment import PROXIES
from trainables.common.errors import UserError
from trainables.storage.cache import CACHE_VARIABLE, cache_folder

SECTION = "Places and limits"
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # Linux's shared memory, which Ray uses
LITTLE_SPACE, NO_SPACE = 5e9, 2e8
"""Bytes that are free, below which a search may run out of space, and below which it cannot begin."""
LITTLE_SHARED_MEMORY = 1e9
"""Bytes of shared memory below which Ray's workers exchange objects by files, and DataLoaders may fail."""
FEW_FILES = 4096
"""Open files below which a search with many workers may fail."""
NETWORK_VARIABLES = ("HF_HUB_OFFLINE", "HF_ENDPOINT", "AWS_ENDPOINT_URL")


def find_places() -> Iterator[Finding]:
    """The cache, results, temporary files, shared memory, open files, and proxies."""
    try:
        cache = cache_folder()
        yield judge_space("cache", cache, f", holds {format_size(measure(cache).size)}")
    except UserError as error:
        yield Finding(SECTION, "cache", str(error), State.BROKEN, f"set {CACHE_VARIABLE} to a folder of your own")
    yield judge_space("results", RESULTS_FOLDER.absolute())
    yield judge_space("temporary files", Path(tempfile.gettempdir()))
    if SHARED_MEMORY.is_dir():
        yield judge_shared_memory(shutil.disk_usage(SHARED_MEMORY).total)
    yield judge_open_files(*resource.getrlimit(resource.RLIMIT_NOFILE))
    yield find_network(os.environ)


def judge_space(name: str, folder: Path, more: str = "") -> Finding:
    """Whether a folder, which need not exist yet, can be written, and what is free there."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    said = f"{folder}{more}; {format_size(free)} free"
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding(SECTION, name, f"{said}; cannot be written", State.BROKEN, "work in a folder of your own")
    if free < NO_SPACE:
        return Finding(SECTION, name, said, State.BROKEN, "free some space; searchspace clean shows what can go")
    if free < LITTLE_SPACE:
        return Finding(SECTION, name, said, State.WARNING, "searchspace clean shows what can go")
    return Finding(SECTION, name, said)


def judge_shared_memory(total: float) -> Finding:
    """Whether shared memory is large enough, in bytes; Docker's default is 64 MB."""
    name, said = str(SHARED_MEMORY), format_size(total)
    if total < LITTLE_SHARED_MEMORY:
        return Finding(SECTION, name, said, State.WARNING, "start the container with --shm-size=4g or more")
    return Finding(SECTION, name, said)


def judge_open_files(soft: int, hard: int) -> Finding:
    """Whether a process may open enough files."""
    most = "unlimited" if hard == resource.RLIM_INFINITY else f"at most {hard:,}"
    said = "unlimited" if soft == resource.RLIM_INFINITY else f"{soft:,}, {most}"
    if 0 <= soft < FEW_FILES:
        return Finding(SECTION, "open files", said, State.WARNING, "ulimit -n 65536, before the command")
    return Finding(SECTION, "open files", said)


def find_network(environment: "os._Environ[str] | dict[str, str]") -> Finding:
    """Which variables send connections elsewhere, by name alone: their values may hold passwords."""
    names = [name for each in PROXIES for name in (each, each.upper()) if environment.get(name)]
    names += [name for name in NETWORK_VARIABLES if environment.get(name)]
    return Finding(SECTION, "network", f"set: {', '.join(names)}" if names else "no proxy is set")
