"""The state of a search's study in its storage, checked before the search is created or resumed."""

import shlex
import time
from pathlib import Path

import optuna
from optuna.trial import TrialState

from searchspace.spec import SearchSpec
from searchspace.storage.search_folder import TRIALS
from searchspace.study.creation import StudyAction, StudyState, choose_action
from searchspace.study.study import describe_storage, find_study, only_study, read_study_attribute
from trainables.common.errors import UserError
from trainables.common.redaction import redact_urls
from trainables.storage.object_store.remote import Remote, format_storage_error

SEARCH_ID, BEGUN = "search", "begun"
"""Attributes of the study: the identity of its search, and that its initial trials are complete."""
SETTLE_S = 2.0
"""Seconds within which the creator of a study marks it; an older unmarked one was left by a killed command."""


def check_study(spec: SearchSpec, search: str, recorded: bool) -> StudyAction:
    """The action for the study of the search of this identity.

    Raises `UserError` where the storage cannot be read, or its study can be neither resumed nor replaced.
    """
    trained = recorded and has_trial_files(spec)
    step = choose_action(_state(spec), search, recorded, trained)
    if step == StudyAction.WAIT and spec.storage:
        time.sleep(SETTLE_S)
        step = choose_action(_state(spec), search, recorded, trained)
    if step == StudyAction.WAIT:  # still unmarked; only one command writes to a journal
        step = StudyAction.REPLACE
    if step in _REFUSALS:
        raise UserError(_REFUSALS[step].format(**_refusal_values(spec, recorded)))
    return step


def _state(spec: SearchSpec) -> StudyState:
    """State of the search's study; in a journal, a study of any name, as its folder may have been renamed."""
    study = find_study(spec, spec.folder)
    if study is None and not spec.storage:
        study = only_study(spec, spec.folder)
    return read_study_state(study)


def read_study_state(study: optuna.Study | None) -> StudyState:
    """The state of a study, or of none."""
    if study is None:
        return StudyState()
    trials = study.get_trials(deepcopy=False)
    waiting = sum(trial.state == TrialState.WAITING for trial in trials)
    return StudyState(
        exists=True, search=read_study_attribute(study, SEARCH_ID) or "",
        begun=bool(read_study_attribute(study, BEGUN)), trials=len(trials) - waiting, waiting=waiting,
    )  # fmt: skip


def has_trial_files(spec: SearchSpec) -> bool:
    """Whether trials left files in the search's folder or at its URL; raises `UserError` if that cannot be reached."""
    if any((spec.folder / TRIALS).glob("*")):
        return True
    try:
        return bool(spec.home.url) and bool(Remote.open(spec.home.url_of(str(spec.folder / TRIALS))).list())
    except OSError as error:
        raise UserError(f"--results {spec.results!r}: {format_storage_error(error)}") from error


def _refusal_values(spec: SearchSpec, recorded: bool) -> dict[str, str]:
    """The values of the refusals' placeholders."""
    url = redact_urls(spec.storage)
    remedy = f"optuna delete-study --study-name {shlex.quote(spec.study_name)} --storage {shlex.quote(url)}"
    return {
        "option": f"--{'resume' if recorded else 'name'} {spec.name!r}",
        "place": describe_storage(spec) if spec.storage else repr(str(spec.folder)),
        "study": repr(spec.study_name),
        "delete": remedy if spec.storage else f"move {shlex.quote(str(spec.folder))} away",
        "folder": repr(str(Path(spec.folder) / TRIALS)),
    }


_REFUSALS = {
    StudyAction.REFUSE_OTHER: "{option}: {place} holds a study of this name already, of another search; choose another "
    "--name, or if no search needs it: {delete}",
    StudyAction.REFUSE_TRIALS: "{option}: {place} holds a study of this name already, with trials and without a "
    "search.json that says what they were; choose another --name, or if nothing needs it: {delete}",
    StudyAction.REFUSE_LOST: "{option}: {place} holds no study {study}, but {folder} holds what its trials left; where "
    "the study has moved, move it back, or give --storage URL if it is in a database",
}
"""Message of each refusal."""
