"""The study: the one record of truth of a search, in an Optuna storage."""

import json
import os
import re
from pathlib import Path
from typing import Any, Protocol

import optuna
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial

from searchspace.journal import WriteBehindJournal, mend
from searchspace.places import sqlite_file
from searchspace.spec import SearchSpec
from trainables.errors import UserError
from trainables.redaction import is_redacted, redact, redact_urls

JOURNAL = "study.journal"
STORAGE = "SEARCHSPACE_STORAGE"
"""Environment variable with the whole of a storage URL whose password is `***` elsewhere."""

optuna.logging.set_verbosity(optuna.logging.ERROR)


class Recorded(Protocol):
    """What is read of a study: Optuna's own, or the boards' snapshot of one."""

    @property
    def user_attrs(self) -> dict[str, Any]:
        """What was kept of the whole search."""

    def get_trials(self, deepcopy: bool = True) -> list[FrozenTrial]:
        """All trials, by number."""


def create_study(spec: SearchSpec, sampler: BaseSampler) -> optuna.Study:
    """New study of a search; raises `UserError` if the storage holds one of this name already, or cannot be reached."""
    if not spec.storage:
        spec.folder.mkdir(parents=True, exist_ok=True)
    try:
        study = optuna.create_study(
            storage=_storage_to_write(spec), study_name=spec.study_name, direction="maximize",
            sampler=sampler,
        )  # fmt: skip
    except optuna.exceptions.DuplicatedStudyError as error:
        raise UserError(f"--name {spec.name!r}: {say_storage(spec)} holds a study of this name already") from error
    flush_study(study)
    return study


def continue_study(spec: SearchSpec, sampler: BaseSampler) -> optuna.Study:
    """Study of a search that goes on; raises `UserError` where there is none."""
    if not spec.storage:
        if not (spec.folder / JOURNAL).is_file():
            raise UserError(f"--resume {spec.name!r}: {str(spec.folder)!r} holds no {JOURNAL}")
        mend(spec.folder / JOURNAL)
    try:
        return optuna.load_study(storage=_storage_to_write(spec), study_name=spec.study_name, sampler=sampler)
    except KeyError as error:
        raise UserError(f"--resume {spec.name!r}: no study {spec.study_name!r} was recorded") from error


def load_study(spec: SearchSpec, folder: Path) -> optuna.Study:
    """Study of the search in `folder`, for reading; raises `UserError` where there is none, and makes no database."""
    if not spec.storage and not (folder / JOURNAL).is_file():
        raise UserError(f"{str(folder)!r}: holds no {JOURNAL}")
    try:
        return optuna.load_study(storage=_storage(spec.storage, folder, make=False), study_name=spec.study_name)
    except KeyError as error:
        where = say_storage(spec) if spec.storage else str(folder / JOURNAL)
        raise UserError(f"{str(folder)!r}: {where} holds no study {spec.study_name!r}") from error


def has_study(spec: SearchSpec) -> bool:
    """Whether the storage of `--storage` holds the search's study; raises `UserError` where it cannot be read."""
    return spec.study_name in optuna.get_all_study_names(_storage(spec.storage, spec.folder, make=False))


def say_storage(spec: SearchSpec) -> str:
    """The option that says where the study is, without its password."""
    return f"--storage {redact_urls(spec.storage)!r}"


def flush_study(study: optuna.Study) -> None:
    """Wait until everything that was told is where other processes can read it; raises OSError where it cannot be."""
    backend = getattr(study._storage, "_backend", None)
    if isinstance(backend, WriteBehindJournal):
        backend.flush()


def _storage_to_write(spec: SearchSpec) -> BaseStorage:
    if spec.storage:
        return _storage(spec.storage, spec.folder)
    return JournalStorage(WriteBehindJournal(spec.folder / JOURNAL))


def _storage(url: str, folder: Path, make: bool = True) -> BaseStorage:
    """The storage that a URL names, or the journal in `folder`; with `make`, its database is made if it is missing."""
    if not url:
        return JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
    whole, file = whole_url(url), sqlite_file(url)
    if file is not None and not make and not file.is_file():
        raise UserError(f"--storage {redact_urls(url)!r}: there is no file {str(file)!r}")
    try:
        # The driver that is installed with this project; what a plain URL means differs between SQLAlchemy's versions.
        return RDBStorage(re.sub("^postgres(ql)?://", "postgresql+psycopg2://", whole))
    except ImportError:
        raise UserError(
            f"--storage {redact_urls(url)!r}: the database's driver is not installed; PostgreSQL's comes with: "
            "pip install 'searchspace[cluster]'"
        ) from None
    except Exception as error:  # SQLAlchemy's drivers raise errors of their own
        said = redact(str(error).splitlines()[0], os.environ | {STORAGE: whole})
        raise UserError(
            f"--storage {redact_urls(url)!r}: {said}"
        ) from None  # the cause's own text may hold the password


def whole_url(url: str) -> str:
    """A storage URL with its password, which a hidden one has from `$SEARCHSPACE_STORAGE`.

    Raises `UserError` where that is another one: a record names the server, and must not choose who is sent a password.
    """
    if not is_redacted(url):
        return url
    whole = os.environ.get(STORAGE, "")
    if redact_urls(whole) != url:
        found = f"is {redact_urls(whole)!r}" if whole else "is not set"
        raise UserError(f"--storage {url!r}: its password is not kept; set {STORAGE} to the whole URL (it {found})")
    return whole


def put_record(study: optuna.Study, key: str, value: Any) -> None:
    """Keep a JSON value of the whole search in the study: finalists, winner."""
    study.set_user_attr(key, json.dumps(value))


def get_record(study: Recorded, key: str) -> Any:
    """Value that `put_record` kept, or None."""
    text = study.user_attrs.get(key)
    return json.loads(text) if text else None
