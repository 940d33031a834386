"""MLflow's store: where a search's runs are kept, and its errors in one line with a remedy."""

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from trainables.common.errors import UserError

TRACKING_DATABASE = "mlflow.db"
SQLITE = "sqlite:///"
QUOTED_SQLITE = "sqlite+pysqlite:///"
"""How a URI of the same store begins whose path is percent-encoded; MLflow makes the folder of a plain one as it is
written, which for such a path would be another folder."""


def tracking_uri(folder: Path) -> str:
    """`$MLFLOW_TRACKING_URI`, or that of a SQLite file beside the search's folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or database_uri(folder.resolve().parent / TRACKING_DATABASE)


def database_uri(file: Path) -> str:
    """URI of a SQLite file by its absolute path, which may hold any character."""
    return f"{QUOTED_SQLITE}{quote(str(file))}" if set("?%#") & set(str(file)) else f"{SQLITE}{file}"


def database_file(uri: str) -> Path | None:
    """The SQLite file that a URI names; None for stores of another kind."""
    for start in (SQLITE, QUOTED_SQLITE):
        if uri.startswith(start) and len(uri) > len(start):
            return Path(unquote(uri.removeprefix(start).partition("?")[0]))
    return None


def artifacts_uri(folder: Path) -> str:
    """URI of the folder for artifacts beside the search's folder."""
    return (folder.resolve().parent / "mlartifacts").as_uri()


STORE_PACKAGES = {"mlflow", "sqlalchemy", "alembic", "requests", "urllib3"}
"""Packages whose exceptions are the store's, and no defect of this program."""


@dataclass(frozen=True)
class StoreProblem:
    """One kind of error."""

    pattern: str
    """Regular expression, found in the error's text."""
    meaning: str
    """What is wrong, of the store."""
    remedy: str
    """What to do; `{quoted}` stands for the store's URI as a shell takes it, `{file}` for its file."""


STORE_PROBLEMS = (
    StoreProblem(
        "must be in the 'active' state|deleted state",
        "the experiment or run is deleted",
        "restore it, in the page of `mlflow ui` or with `mlflow experiments restore`",
    ),
    StoreProblem(
        "ut-of-date database schema|Can't locate revision",
        "the database has the schema of another MLflow version",
        "back it up and run: mlflow db upgrade {quoted}, or move {file} away",
    ),
    StoreProblem(
        "database is locked",
        "another process keeps the database locked",
        "end that process, or try again when it is done",
    ),
    StoreProblem("database or disk is full|No space left", "its disk is full", "make room"),
    StoreProblem("file is not a database|malformed", "{file} is no SQLite database", "move it away"),
    StoreProblem(
        "unable to open database file|readonly database|Read-only file system|Permission denied",
        "{file} or its folder cannot be written",
        "make it writable, or set MLFLOW_TRACKING_URI to another place",
    ),
    StoreProblem(
        "error code 40[13]",
        "the server refuses this user",
        "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
    ),
    StoreProblem(
        "error code 404|not in a valid JSON",
        "what answers there is no MLflow server",
        "set MLFLOW_TRACKING_URI to one",
    ),
    StoreProblem(
        "failed with exception|Max retries exceeded|[Cc]onnection refused|could not connect|timed out",
        "no server answers there",
        "start it (behind a proxy, name its host in NO_PROXY), or set MLFLOW_TRACKING_URI to one that runs",
    ),
    StoreProblem(
        "filesystem tracking backend|unsupported URI",
        "MLflow has no store of this kind",
        "set MLFLOW_TRACKING_URI to http://HOST:PORT or sqlite:////PATH/FILE.db",
    ),
    StoreProblem("No module named", "its driver is not installed ({error})", "pip install it"),
)
"""In the order in which they are looked for."""


def explain_store_error(error: BaseException, uri: str) -> str:
    """One line: the store at `uri`, what is wrong with it, and what to do; an unknown error in its own words."""
    told = " ".join(str(error).split())
    words = {"quoted": shlex.quote(uri), "file": repr(str(database_file(uri) or "its database")), "error": told}
    for trouble in STORE_PROBLEMS:
        if re.search(trouble.pattern, told):
            return f"MLflow at {uri!r}: {trouble.meaning.format(**words)}; {trouble.remedy.format(**words)}"
    first = next(iter(str(error).strip().splitlines()), "")
    return f"MLflow at {uri!r}: {type(error).__name__}: {first}"


@contextmanager
def explaining_store_errors(uri: str) -> Iterator[None]:
    """Raise `UserError`, one line with a remedy, for what goes wrong with the store at `uri` in the block."""
    try:
        yield
    except Exception as error:
        packages = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
        if packages & STORE_PACKAGES or isinstance(error, OSError | ImportError):
            raise UserError(explain_store_error(error, uri)) from error
        raise


def check_store(uri: str) -> None:
    """Raise `UserError` for a database file that cannot be written; MLflow itself would try for minutes."""
    file = database_file(uri)
    if file is None:
        return
    place = file if file.exists() else next(parent for parent in file.parents if parent.exists())
    if file.is_dir() or not (place == file or place.is_dir()) or not os.access(place, os.W_OK):
        raise UserError(explain_store_error(PermissionError("Permission denied"), uri))


def check_experiment(name: str, number: str, stage: str, uri: str) -> None:
    """Raise `UserError` for an experiment that somebody deleted: its name stays taken until it is restored."""
    if stage != "active":
        raise UserError(
            f"MLflow at {uri!r}: its experiment {name!r} is deleted; restore it: "
            f"MLFLOW_TRACKING_URI={shlex.quote(uri)} mlflow experiments restore --experiment-id {number}"
        )
