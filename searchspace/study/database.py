"""The database of `--storage`: which URL may be opened, and how, for writing and for reading.

A record names a database, and may come from another user. A search opens the database of its own options. A command
that only reads opens a database only if its user names it, too, and read-only: no record chooses a server or a file.
"""

import os
import re
import sqlite3
import uuid
from typing import Annotated, Any
from urllib.parse import quote

from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage

from searchspace.cli.options import Option
from searchspace.preparation.absolute_paths import sqlite_file, with_absolute_file
from searchspace.study.retrying_storage import RetryingStorage, engine_options
from trainables.common.errors import UserError
from trainables.common.redaction import is_redacted, redact, redact_urls
from trainables.config import Frozen

STORAGE_VARIABLE = "SEARCHSPACE_STORAGE"
"""Environment variable with the storage URL and its password, which is `***` elsewhere."""
POSTGRES = re.compile("^postgres(ql)?(\\+psycopg2)?://")


class StorageOption(Frozen):
    """Option for the study of a search that is read."""

    storage: Annotated[str, Option("Where it is", metavar="URL")] = ""
    """Open the database that the search's record names, which must be this URL."""


class NoStudiesError(UserError):
    """A database holds no studies."""


def allow_storage(url: str) -> None:
    """Allow this command to read the database at `url`, as `$SEARCHSPACE_STORAGE` does; empty changes nothing."""
    if url:
        os.environ[STORAGE_VARIABLE] = url_with_password(with_absolute_file(url))


def url_with_password(url: str) -> str:
    """A storage URL with its password; a redacted URL gets it from `$SEARCHSPACE_STORAGE`.

    Raises `UserError` where that is another URL: a record must not choose the server that a password is sent to.
    """
    if not is_redacted(url):
        return url
    whole = os.environ.get(STORAGE_VARIABLE, "")
    if redact_urls(whole) != url:
        raise UserError(
            f"--storage {url!r}: its password is not kept; set {STORAGE_VARIABLE} to the whole URL "
            f"({_describe_allowed(whole)})"
        )
    return whole


def allowed_url(url: str) -> str:
    """The URL, with its password, of a record's database; raises `UserError` unless the user names it, too."""
    named, hidden = os.environ.get(STORAGE_VARIABLE, ""), redact_urls(url)
    if not named or _normal(named) != _normal(url):
        raise UserError(
            f"the record names a database, {hidden!r}, which is opened only if you name it too: "
            f"give --storage {hidden!r}, or set {STORAGE_VARIABLE} to the whole URL ({_describe_allowed(named)})"
        )
    return named


def open_to_write(url: str, make: bool = True) -> RDBStorage:
    """The database at a URL; if it is missing, it is made with `make`, else raises `UserError`."""
    whole = url_with_password(url)
    if not make:
        _check_there(url)
    return _open(whole, {}, read_only=False)


def open_to_read(url: str) -> RDBStorage:
    """The database at a URL, read-only; raises `UserError` where it is missing.

    Raises `NoStudiesError` where it has no Optuna tables.
    """
    whole, file = url_with_password(url), sqlite_file(url)
    _check_there(url)
    if file is None:
        return _open(whole, {"execution_options": {"postgresql_readonly": True}}, read_only=True)
    place = f"file:{quote(str(file.absolute()))}?mode=ro"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(place, uri=True, check_same_thread=False)

    return _open(f"sqlite:///{file}", {"creator": connect}, read_only=True)


def check_writable(url: str) -> None:
    """Raise `UserError` where the database at a URL is not writable; it is made if missing, and gets no study."""
    from sqlalchemy import text

    storage = open_to_write(url)
    try:
        with storage.engine.connect() as connection:  # rolled back at its end
            connection.execute(text("INSERT INTO studies (study_name) VALUES (:name)"), {"name": uuid.uuid4().hex})
    except Exception as error:  # SQLAlchemy's drivers raise errors of their own
        raise _unusable(url_with_password(url), str(error)) from None


def _open(whole: str, engine: dict[str, Any], read_only: bool) -> RDBStorage:
    hidden = redact_urls(whole)
    try:
        # The driver that is installed with this project; what a plain URL means differs between SQLAlchemy's versions.
        url = POSTGRES.sub("postgresql+psycopg2://", whole)
        is_server = not url.startswith("sqlite")
        kind = RetryingStorage if is_server else RDBStorage
        options = (engine_options(url) if is_server else {}) | engine
        if read_only and not _has_studies(url, options):
            raise NoStudiesError(f"--storage {hidden!r}: holds no studies")
        return kind(url, engine_kwargs=engine, skip_table_creation=read_only)
    except NoStudiesError:
        raise
    except ImportError:
        raise UserError(
            f"--storage {hidden!r}: the database's driver is not installed; PostgreSQL's comes with: "
            "pip install 'searchspace[cluster]'"
        ) from None
    except Exception as error:  # SQLAlchemy's drivers raise errors of their own
        said = str(error.__cause__ if isinstance(error, StorageInternalError) else error)
        raise _unusable(whole, said or type(error).__name__) from None


def _has_studies(url: str, options: dict[str, Any]) -> bool:
    """Whether the database has Optuna's table of studies."""
    from sqlalchemy import create_engine, inspect

    engine = create_engine(url, **options)
    try:
        return bool(inspect(engine).has_table("studies"))
    finally:
        engine.dispose()


def _unusable(whole: str, said: str) -> UserError:
    """The error of a database; raise it without its cause, whose text may hold the password."""
    line = redact(said.splitlines()[0], os.environ | {STORAGE_VARIABLE: whole})
    return UserError(f"--storage {redact_urls(whole)!r}: {line}")


def _check_there(url: str) -> None:
    file = sqlite_file(url)
    if file is not None and not file.is_file():
        raise UserError(f"--storage {redact_urls(url)!r}: there is no file {str(file)!r}")


def _normal(url: str) -> str:
    """A URL without its password, for comparison."""
    return POSTGRES.sub("postgresql://", with_absolute_file(redact_urls(url)))


def _describe_allowed(whole: str) -> str:
    return f"it is {redact_urls(whole)!r}" if whole else "it is not set"
