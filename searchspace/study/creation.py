"""The creation of a search: first its study, last its record; it can be interrupted and repeated at any point."""

import uuid
from enum import StrEnum
from pathlib import Path

from searchspace.storage.folder_contents import DRAFT_FILE
from trainables.common.errors import DamagedError
from trainables.config import Frozen
from trainables.storage.files import read_record, write_file
from trainables.storage.folders import remove_file


class StudyState(Frozen):
    """The study that a storage holds under the name of a search's study."""

    exists: bool = False
    """Whether there is a study of this name."""
    search: str = ""
    """Identity of the search that created it; empty if it is not marked yet, or of an older version."""
    begun: bool = False
    """Whether its initial trials are complete."""
    trials: int = 0
    """Trials that were started."""
    waiting: int = 0
    """Trials that are enqueued."""


class StudyAction(StrEnum):
    """What to do about the study."""

    CREATE = "create"
    """There is none: create it."""
    REPLACE = "replace"
    """The creation of this search was interrupted: delete the study, and create it again."""
    WAIT = "wait"
    """An empty study that is not marked: wait whether its creator marks it."""
    RESUME = "resume"
    """It is this search's: resume it."""
    REFUSE_OTHER = "refuse: another search's"
    """It belongs to another search."""
    REFUSE_TRIALS = "refuse: trials without a record"
    """It has trials, and no record says of which search."""
    REFUSE_LOST = "refuse: trials without a study"
    """The search has trained trials, but their study is missing."""


def choose_action(state: StudyState, search: str, recorded: bool, trained: bool) -> StudyAction:
    """The action for a study in `state` when the search of this identity is created or resumed.

    `recorded` is whether the search has its record, `trained` whether its folder holds files of trials. `search` is
    empty for the record of an older version, and before a new search has an identity.
    """
    if not state.exists:
        return StudyAction.REFUSE_LOST if recorded and trained else StudyAction.CREATE
    if state.search and state.search != search and (search or not recorded):
        return StudyAction.REFUSE_OTHER
    if recorded:
        return StudyAction.RESUME if state.begun or state.trials or trained else StudyAction.REPLACE
    if state.trials:
        return StudyAction.REFUSE_TRIALS
    if state.search:
        return StudyAction.REPLACE
    return StudyAction.REFUSE_OTHER if state.waiting else StudyAction.WAIT


class Draft(Frozen):
    """A search that is being created."""

    search: str
    """Its identity, by which the study that a killed command left in a database is recognised."""


def write_draft(folder: Path) -> Draft:
    """Write a new draft into `folder`."""
    draft = Draft(search=uuid.uuid4().hex)
    write_file(folder / DRAFT_FILE, draft.model_dump_json().encode())
    return draft


def read_draft(folder: Path) -> Draft | None:
    """The draft in `folder`; None where there is none, or an incomplete one."""
    try:
        return read_record(folder / DRAFT_FILE, Draft)
    except (FileNotFoundError, NotADirectoryError, DamagedError):
        return None


def delete_draft(folder: Path) -> None:
    """Delete the draft, once the record is written."""
    remove_file(folder / DRAFT_FILE)
