"""A worker's directory for one trial: the shared folder, or a scratch folder synchronised with a URL."""

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
    """The directory of one assignment: `assignment` has local paths, `upload` updates the remote copy."""

    def __init__(self, assignment: Assignment, storage: SearchStorage, sync: FolderSync | None = None) -> None:
        """Use the assignment's own folders, or those of `sync`."""
        self.assignment, self._storage, self._sync = assignment, storage, sync

    def upload(self) -> None:
        """Upload what this worker wrote, if the search has a URL.

        Raises OSError, also if another command has taken over the search.
        """
        if self._sync is not None:
            self._storage.check_lease()
            self._sync.push()


@contextmanager
def open_trial_directory(storage: SearchStorage, assignment: Assignment, worker: str) -> Iterator[TrialDirectory]:
    """Provide the folders of a trial and its teacher while the block runs; `worker` names the worker on its node.

    If the search's folder is shared, the assignment is unchanged, except that links in the path to that folder are
    resolved, as they may differ between nodes. Raises OSError if the first download fails.
    """
    if not storage.url:
        yield TrialDirectory(_resolved(storage, assignment), storage)
        return
    scratch = (
        cache_folder() / "scratch" / hashlib.blake2b(f"{storage.url} {worker}".encode(), digest_size=6).hexdigest()
    )
    remove_tree(scratch)  # left by a killed worker
    try:
        trial = _copy(storage, assignment.folder, scratch / "trial")
        trial.pull()
        here = {"folder": str(trial.folder)}
        if assignment.teacher:
            teacher = _copy(storage, assignment.teacher, scratch / "teacher")
            teacher.pull(without_checkpoints)
            here["teacher"] = str(teacher.folder)
        directory = TrialDirectory(assignment.model_copy(update=here), storage, trial)
        try:
            yield directory
        finally:
            with suppress(OSError):  # reported results are uploaded; only an error's text or deletions are missing
                directory.upload()
    finally:
        remove_tree(scratch)


def _resolved(storage: SearchStorage, assignment: Assignment) -> Assignment:
    given, real = Path(storage.folder), Path(storage.folder).resolve()
    folders = {name: Path(getattr(assignment, name)) for name in ("folder", "teacher") if getattr(assignment, name)}
    moved = {name: str(real / path.relative_to(given)) for name, path in folders.items() if path.is_relative_to(given)}
    return assignment.model_copy(update=moved) if real != given else assignment


def _copy(storage: SearchStorage, folder: str, here: Path) -> FolderSync:
    make_folder(here)
    return FolderSync(SearchStorage(folder=str(here), url=storage.url_of(folder)))
