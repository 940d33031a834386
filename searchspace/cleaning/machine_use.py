"""What runs on this machine and what it needs of the cache: open and mapped files, and the searches that are locked.

Only this user's processes can be looked into. Searches of other machines that share the cache are not seen.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psutil

from searchspace.cli.commands import PACKAGE
from searchspace.spec import load_facts
from searchspace.storage.search_lock import LOCK_FILE
from trainables.common.errors import UserError
from trainables.storage.cache import CACHE_VARIABLE

COMMANDS = {"run", "export", "data"}
"""Commands that prepare or read data before they lock a search, or without one."""


@dataclass(frozen=True)
class RunningSearch:
    """A search that a process works on."""

    folder: Path
    """Its results folder."""
    fingerprint: str
    """Of its data; empty where they are not recorded yet."""
    places: tuple[str, ...]
    """Where its data lie: the store, and what `--data` and `--root` name."""


@dataclass(frozen=True)
class MachineUse:
    """What this user's processes do."""

    opened: frozenset[str]
    """Files that a process has open, or mapped."""
    searches: tuple[RunningSearch, ...]
    """Searches that are worked on."""
    starting: int | None = None
    """Process id of a command that may need anything, as its data are not recorded yet; None: there is none."""

    @property
    def needs_all(self) -> str:
        """Why nothing may go now; empty where something may."""
        if self.starting is not None:
            return f"process {self.starting} is starting, and may need it"
        unknown = next((search for search in self.searches if not search.fingerprint), None)
        return f"search {unknown.folder.name!r} is starting, and may need it" if unknown else ""

    def has_open(self, path: Path) -> bool:
        """Whether a process has the file, one below the folder, or its lock open."""
        return any(file in {str(path), f"{path}.lock"} or file.startswith(f"{path}{os.sep}") for file in self.opened)

    def needing(self, path: Path) -> RunningSearch | None:
        """A search that has its data there."""
        for search in self.searches:
            within = [place for place in search.places if Path(place).is_relative_to(path)]
            if within or (search.fingerprint and search.fingerprint in path.parts):
                return search
        return None


def find_machine_use(cache: Path) -> MachineUse:
    """What this user's processes do now, as far as they use the folder `cache`."""
    opened: set[str] = set()
    searches: dict[Path, RunningSearch] = {}
    starting = None
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter():
        if process.pid in own:
            continue
        files = set(_open_files(process.pid))
        opened |= files
        held = {Path(file).parent for file in files if os.path.basename(file) == LOCK_FILE}
        if (held or _is_command(process)) and _cache_of(process) in {cache, None}:
            searches |= {folder: read_running(folder) for folder in held - searches.keys()}
            starting = starting if held else process.pid
    return MachineUse(frozenset(opened), tuple(searches.values()), starting)


def read_running(folder: Path) -> RunningSearch:
    """What the record of a running search says of its data."""
    try:
        facts = load_facts(folder)
    except (UserError, OSError):
        return RunningSearch(folder, "", ())
    data, spec = facts.get("data", {}), facts.get("spec", {})
    places = [str(place) for place in (data.get("path"), spec.get("data"), spec.get("root")) if place]
    return RunningSearch(folder, str(data.get("fingerprint") or ""), tuple(p for p in places if os.path.isabs(p)))


def _open_files(process: int) -> Iterator[str]:
    """Files that a process has open or mapped, as far as this user may know them."""
    place = Path("/proc", str(process))
    if not place.is_dir():
        with suppress(psutil.Error):
            yield from (file.path for file in psutil.Process(process).open_files())
        return
    with suppress(OSError):
        for descriptor in os.listdir(place / "fd"):
            with suppress(OSError):
                yield os.readlink(place / "fd" / descriptor)
    with suppress(OSError):
        for line in (place / "maps").read_text(errors="replace").splitlines():
            _, slash, rest = line.partition(" /")
            if slash:
                yield f"/{rest}"


def _cache_of(process: psutil.Process) -> Path | None:
    """The cache that a process uses; None where that is not known."""
    try:
        environment = process.environ()
    except psutil.Error:
        return None
    home = Path(environment.get("HOME") or os.path.expanduser("~"))
    return Path(environment.get(CACHE_VARIABLE) or home / ".cache" / "searchspace").resolve()


def _is_command(process: psutil.Process) -> bool:
    """Whether a process is one of `COMMANDS`: `searchspace run ...`, or `python -m searchspace.run ...`."""
    try:
        words = [os.path.basename(word) for word in process.cmdline()]
    except psutil.Error:
        return False
    if not words or not words[0].startswith("python"):  # else it is a program that starts one
        return False
    pairs = set(pairwise(words))
    modules = {("-m", f"{PACKAGE}.{command}") for command in COMMANDS}
    return bool(pairs & (modules | {(PACKAGE, command) for command in COMMANDS}))
