"""Where MLflow keeps a search's runs: `$MLFLOW_TRACKING_URI`, or a SQLite file beside the search's folder."""

import os
from pathlib import Path
from urllib.parse import quote, unquote

FILE = "mlflow.db"
SQLITE = "sqlite:///"
QUOTED = "sqlite+pysqlite:///"
"""How a URI of the same store begins whose path is percent-encoded; MLflow makes the folder of a plain one as it is
written, which for such a path would be another folder."""


def tracking_uri(folder: Path) -> str:
    """`$MLFLOW_TRACKING_URI`, or that of a SQLite file beside the search's folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or database_uri(folder.resolve().parent / FILE)


def database_uri(file: Path) -> str:
    """URI of a SQLite file by its absolute path, which may hold any character."""
    return f"{QUOTED}{quote(str(file))}" if set("?%#") & set(str(file)) else f"{SQLITE}{file}"


def database_file(uri: str) -> Path | None:
    """The SQLite file that a URI names; None for stores of another kind."""
    for start in (SQLITE, QUOTED):
        if uri.startswith(start) and len(uri) > len(start):
            return Path(unquote(uri.removeprefix(start).partition("?")[0]))
    return None


def artifacts_uri(folder: Path) -> str:
    """URI of the folder for artifacts beside the search's folder."""
    return (folder.resolve().parent / "mlartifacts").as_uri()
