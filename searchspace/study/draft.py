"""How a search comes to be: its study first, its record last; every moment of it can be cut off and done again."""

import uuid
from enum import StrEnum
from pathlib import Path

from searchspace.storage.folder_contents import DRAFT_FILE
from trainables.common.errors import DamagedError
from trainables.config import Frozen
from trainables.storage.files import read_record, write_file
from trainables.storage.folders import remove_file


class StudyState(Frozen):
    """What a storage holds under the name of a search's study."""

    exists: bool = False
    """Whether there is such a study."""
    search: str = ""
    """Identity of the search that made it; empty for one that is not marked yet, or of an older version."""
    begun: bool = False
    """Whether all that it begins with is in it."""
    trials: int = 0
    """Trials that were started."""
    waiting: int = 0
    """Trials that only wait."""


class StudyAction(StrEnum):
    """What is to be done about the study."""

    CREATE = "create"
    """There is none: make it."""
    REPLACE = "replace"
    """A beginning of this search was cut off: delete it, and make it again."""
    WAIT = "wait"
    """An empty study that is not marked: if nobody marks it in a moment, its maker is gone."""
    TAKE_UP = "take up"
    """It is this search's: go on with it."""
    REFUSE_OTHER = "refuse: another search's"
    """It is another search's."""
    REFUSE_TRIALS = "refuse: trials without a record"
    """Trials were started in it, and no record says of which search."""
    REFUSE_LOST = "refuse: trials without a study"
    """The search has trained trials, and their study is gone."""


def choose_action(state: StudyState, search: str, recorded: bool, trained: bool) -> StudyAction:
    """What to do about a study in `state` when the search of this identity is begun, or goes on.

    `recorded` says whether the search has its record, and `trained` whether its folder holds anything that trials left.
    `search` is empty for the record of an older version, and before a new search has an identity.
    """
    if not state.exists:
        return StudyAction.REFUSE_LOST if recorded and trained else StudyAction.CREATE
    if state.search and state.search != search and (search or not recorded):
        return StudyAction.REFUSE_OTHER
    if recorded:
        return StudyAction.TAKE_UP if state.begun or state.trials or trained else StudyAction.REPLACE
    if state.trials:
        return StudyAction.REFUSE_TRIALS
    if state.search:
        return StudyAction.REPLACE
    return StudyAction.REFUSE_OTHER if state.waiting else StudyAction.WAIT


class Draft(Frozen):
    """A search that is being begun."""

    search: str
    """Its identity, by which what a kill left in a database is known again."""


def write_draft(folder: Path) -> Draft:
    """A new draft in `folder`."""
    draft = Draft(search=uuid.uuid4().hex)
    write_file(folder / DRAFT_FILE, draft.model_dump_json().encode())
    return draft


def read_draft(folder: Path) -> Draft | None:
    """The draft in `folder`, if there is a whole one."""
    try:
        return read_record(folder / DRAFT_FILE, Draft)
    except (FileNotFoundError, NotADirectoryError, DamagedError):
        return None


def delete_draft(folder: Path) -> None:
    """Delete it, once the record is there."""
    remove_file(folder / DRAFT_FILE)
