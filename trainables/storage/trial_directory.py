"""What a worker does about a trial's folder where nodes share none: a scratch folder, in step with the search's URL."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trainables.config import Assignment
from trainables.storage.cache import cache_folder
from trainables.storage.folder_sync import FolderSync, without_checkpoints
from trainables.storage.folders import make_folder, remove_tree
from trainables.storage.search_storage import SearchStorage


class TrialDirectory:
    """One assignment at one worker: `assignment` has folders that lie here, `share` brings its twin up to date."""

    def __init__(self, assignment: Assignment, home: SearchStorage, sync: FolderSync | None = None) -> None:
        """Of an assignment with its own folders, or with those of a `sync`."""
        self.assignment, self._home, self._sync = assignment, home, sync

    def upload(self) -> None:
        """Upload what this worker has written, if anybody else has to read it from there.

        Raises OSError, also where another command has taken the search over.
        """
        if self._sync is not None:
            self._home.check_lease()
            self._sync.push()


@contextmanager
def open_trial_directory(home: SearchStorage, assignment: Assignment, desk: str) -> Iterator[TrialDirectory]:
    """Have the trial's folder here, and its teacher's, while the block runs; `desk` names this worker on its node.

    Where the search's folder is shared, the assignment is as it was given, but for links in the path to that folder,
    which this node may have and others not. Raises OSError where storage fails at first.
    """
    if not home.url:
        yield TrialDirectory(_resolved(home, assignment), home)
        return
    scratch = cache_folder() / "scratch" / hashlib.blake2b(f"{home.url} {desk}".encode(), digest_size=6).hexdigest()
    remove_tree(scratch)  # of a worker that was killed
    try:
        trial = _copy(home, assignment.folder, scratch / "trial")
        trial.pull()
        here = {"folder": str(trial.folder)}
        if assignment.teacher:
            teacher = _copy(home, assignment.teacher, scratch / "teacher")
            teacher.pull(without_checkpoints)
            here["teacher"] = str(teacher.folder)
        visit = TrialDirectory(assignment.model_copy(update=here), home, trial)
        try:
            yield visit
        finally:
            with suppress(OSError):  # what was told has been uploaded; this is its error's text, or what it deleted
                visit.upload()
    finally:
        remove_tree(scratch)


def _resolved(home: SearchStorage, assignment: Assignment) -> Assignment:
    given, real = Path(home.folder), Path(home.folder).resolve()
    folders = {name: Path(getattr(assignment, name)) for name in ("folder", "teacher") if getattr(assignment, name)}
    moved = {name: str(real / path.relative_to(given)) for name, path in folders.items() if path.is_relative_to(given)}
    return assignment.model_copy(update=moved) if real != given else assignment


def _copy(home: SearchStorage, folder: str, here: Path) -> FolderSync:
    make_folder(here)
    return FolderSync(SearchStorage(folder=str(here), url=home.url_of(folder)))
