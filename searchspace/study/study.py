"""The study of a search, in an Optuna storage: the only source of truth on its trials."""

import json
from pathlib import Path
from typing import Any, Protocol, TypeVar

import optuna
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend
from optuna.trial import FrozenTrial
from pydantic import TypeAdapter, ValidationError

from searchspace.optuna_compat import journal_backend
from searchspace.preparation.absolute_paths import sqlite_file
from searchspace.spec import SearchSpec
from searchspace.storage.search_folder import JOURNAL
from searchspace.study.database import NoStudiesError, allowed_url, open_to_read, open_to_write
from searchspace.study.journal import WriteBehindJournal, remove_locks, repair_journal
from trainables.common.errors import DamagedError, UserError
from trainables.common.redaction import redact_urls
from trainables.storage.files import format_validation_error, is_file
from trainables.storage.folders import make_folder, remove_file

T = TypeVar("T")

optuna.logging.set_verbosity(optuna.logging.ERROR)


class StudyReader(Protocol):
    """The part of a study that is read: of Optuna's own, or of a snapshot."""

    @property
    def user_attrs(self) -> dict[str, Any]:
        """Attributes of the whole search."""

    def get_trials(self, deepcopy: bool = True) -> list[FrozenTrial]:
        """All trials, by number."""


def create_study(spec: SearchSpec, sampler: BaseSampler) -> optuna.Study:
    """Create the study of a search; raises `UserError` if the storage has one of this name, or cannot be reached."""
    if not spec.storage:
        make_folder(spec.folder)
    try:
        study = optuna.create_study(
            storage=_storage_to_write(spec), study_name=spec.study_name, direction="maximize",
            sampler=sampler,
        )  # fmt: skip
    except optuna.exceptions.DuplicatedStudyError as error:
        raise UserError(f"--name {spec.name!r}: {describe_storage(spec)} holds a study of this name already") from error
    flush_study(study)
    return study


def continue_study(spec: SearchSpec, sampler: BaseSampler) -> optuna.Study:
    """The study of a search that is resumed; raises `UserError` where there is none."""
    if not spec.storage:
        if not is_file(spec.folder / JOURNAL):
            raise UserError(f"--resume {spec.name!r}: {str(spec.folder)!r} holds no {JOURNAL}")
        repair_journal(spec.folder / JOURNAL)
    try:
        return optuna.load_study(storage=_storage_to_write(spec), study_name=spec.study_name, sampler=sampler)
    except KeyError as error:
        raise UserError(f"--resume {spec.name!r}: no study {spec.study_name!r} was recorded") from error


def load_study(spec: SearchSpec, folder: Path) -> optuna.Study:
    """The study of the search in `folder`, which may come from another user, for reading.

    Its database is opened read-only, and only if the reader names it too. Raises `UserError` where there is no study.
    """
    if not spec.storage:
        return load_own_study(spec, folder)
    try:
        storage = open_to_read(allowed_url(spec.storage))
    except NoStudiesError:
        raise _missing(spec, folder) from None
    except UserError as error:
        raise UserError(f"{str(folder)!r}: {error}") from None
    return _load(spec, folder, storage)


def load_own_study(spec: SearchSpec, folder: Path) -> optuna.Study:
    """The study of the user's own search in `folder`, to read and extend; raises `UserError` where there is none."""
    if spec.storage:
        return _load(spec, folder, open_to_write(spec.storage, make=False))
    if not is_file(folder / JOURNAL):
        raise UserError(f"{str(folder)!r}: holds no {JOURNAL}")
    return _load(spec, folder, _replayed(folder / JOURNAL, JournalFileBackend(str(folder / JOURNAL))))


def _replayed(file: Path, backend: BaseJournalBackend) -> JournalStorage:
    """Optuna's storage of a journal; raises `DamagedError` where it cannot be replayed, or OSError."""
    try:
        return JournalStorage(backend)
    except OSError:
        raise
    except Exception as error:  # malformed entries raise errors of any type
        said = next(iter(str(error).splitlines()), "")[:200]
        raise DamagedError(file, f"cannot be replayed ({type(error).__name__}: {said})") from error


def _load(spec: SearchSpec, folder: Path, storage: BaseStorage) -> optuna.Study:
    try:
        return optuna.load_study(storage=storage, study_name=spec.study_name)
    except KeyError as error:
        raise _missing(spec, folder) from error


def _missing(spec: SearchSpec, folder: Path) -> UserError:
    where = describe_storage(spec) if spec.storage else str(folder / JOURNAL)
    return UserError(f"{str(folder)!r}: {where} holds no study {spec.study_name!r}")


def find_study(spec: SearchSpec, folder: Path) -> optuna.Study | None:
    """The study of the search in `folder`, for reading; None without one; raises `UserError` if it cannot be read."""
    storage = _own_storage(spec, folder)
    if storage is None:
        return None
    names = optuna.get_all_study_names(storage)
    return optuna.load_study(storage=storage, study_name=spec.study_name) if spec.study_name in names else None


def only_study(spec: SearchSpec, folder: Path) -> optuna.Study | None:
    """The study in a folder's journal, of any name; None where there is none."""
    storage = _own_storage(spec, folder)
    names = optuna.get_all_study_names(storage) if storage else []
    return optuna.load_study(storage=storage, study_name=names[0]) if storage and names else None


def _own_storage(spec: SearchSpec, folder: Path) -> BaseStorage | None:
    """The storage of the user's own search, for reading; None where there is none yet."""
    if not spec.storage:
        file = folder / JOURNAL
        return _replayed(file, JournalFileBackend(str(file))) if is_file(file) else None
    database = sqlite_file(spec.storage)
    if database is not None and not database.is_file():
        return None
    try:
        return open_to_read(spec.storage)
    except NoStudiesError:
        return None


def delete_study(spec: SearchSpec) -> None:
    """Delete the search's study: from a database, or with its journal, which holds no other."""
    if spec.storage:
        optuna.delete_study(storage=open_to_write(spec.storage), study_name=spec.study_name)
        return
    remove_locks(spec.folder / JOURNAL)
    remove_file(spec.folder / JOURNAL)


def describe_storage(spec: SearchSpec) -> str:
    """The option `--storage` with its URL, without the password."""
    return f"--storage {redact_urls(spec.storage)!r}"


def flush_study(study: optuna.Study) -> None:
    """Wait until other processes can read all that was written; raises OSError where that fails."""
    if journal := get_journal(study):
        journal.flush()


def get_journal(study: optuna.Study) -> WriteBehindJournal | None:
    """The journal that a study is written to; None for a database, or a study that is only read."""
    backend = journal_backend(study)
    return backend if isinstance(backend, WriteBehindJournal) else None


def _storage_to_write(spec: SearchSpec) -> BaseStorage:
    if spec.storage:
        return open_to_write(spec.storage)
    return _replayed(spec.folder / JOURNAL, WriteBehindJournal(spec.folder / JOURNAL))


def write_study_attribute(study: optuna.Study, key: str, value: Any) -> None:
    """Write an attribute of the whole search, as JSON, such as its finalists."""
    study.set_user_attr(key, json.dumps(value))


def read_study_attribute(study: StudyReader, key: str) -> Any:
    """The value that `write_study_attribute` wrote, or None."""
    text = study.user_attrs.get(key)
    try:
        return json.loads(text) if text else None
    except (ValueError, TypeError, RecursionError) as error:
        raise DamagedError(Path(JOURNAL), f"{key}: {error}") from error


def parse_study_attribute(study: StudyReader, key: str, schema: TypeAdapter[T]) -> T | None:
    """The same, validated by `schema`; raises `DamagedError` where it does not match."""
    found = read_study_attribute(study, key)
    try:
        return schema.validate_python(found) if found else None
    except ValidationError as error:
        raise DamagedError(Path(JOURNAL), f"{key}: {format_validation_error(error)}") from error
