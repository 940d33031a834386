"""`searchspace track results/NAME` uploads to MLflow what it lacks of a search."""

import logging
import os
import sys
import traceback
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from searchspace.cli.output import print_lines
from searchspace.spec import SearchSpec, load_spec
from searchspace.storage.open_results import is_export_file, open_results
from searchspace.study.study_snapshot import read_study
from searchspace.tracking.background_upload import wait_for_end
from searchspace.tracking.final_upload import upload_results
from searchspace.tracking.runs import EXPERIMENT, RunUploader, SystemMonitor
from searchspace.tracking.tracking_store import explaining_store_errors, tracking_uri
from trainables.common.errors import UserError
from trainables.common.redaction import RedactedStream, redact

logger = logging.getLogger(__name__)


def main(
    folder: Annotated[str, typer.Argument(help="One search, such as results/digits, or its URL.")],
    follow: Annotated[
        bool,
        typer.Option(
            "--follow", metavar="", help="Continue until standard input closes, as the upload beside a search does."
        ),
    ] = False,
) -> None:
    """Upload a search to MLflow: to $MLFLOW_TRACKING_URI, or results/mlflow.db; what is there already stays as it is.

    Example: MLFLOW_TRACKING_URI=http://127.0.0.1:5000 searchspace track results/digits
    """
    sys.stdout = sys.stderr = RedactedStream(sys.stderr)  # MLflow's messages quote the server's whole URL
    os.nice(19)  # it uses only CPU time that the search leaves idle
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")  # seconds
    here = Path(open_results(folder, is_export_file).folder).resolve()
    spec, uri = load_spec(here), tracking_uri(here)
    if "'" in os.getcwd() and not os.environ.get("MLFLOW_TRACKING_URI"):
        # MLflow quotes nothing where it writes its default experiment's folder, in this one, into a new database.
        os.chdir("/")
    uploader = _keep_up(spec, here, uri) if follow else None
    study = read_study(spec, here)
    with explaining_store_errors(uri):
        uploader = uploader or RunUploader(spec, here)
        uploader.upload_trials(study)
        upload_results(uploader)
    print_lines(f"search {spec.name!r} is in MLflow's experiment {EXPERIMENT!r} at {redact(uri)}")


def _keep_up(spec: SearchSpec, folder: Path, uri: str) -> RunUploader | None:
    """Replay the search periodically while it runs; after a failure, the next replay tries again."""
    uploader, told = None, ""
    with closing(SystemMonitor()) as monitor:
        while not wait_for_end():
            try:
                study = read_study(spec, folder)
                if any(trial.state.is_finished() for trial in study.get_trials(deepcopy=False)):
                    with explaining_store_errors(uri):
                        # MLflow itself is loaded no sooner: while gangs start, every core is theirs.
                        uploader = uploader or RunUploader(spec, folder)
                        monitor.start(uploader.parent)
                        uploader.upload_trials(study)
            except Exception as error:  # a tracker may fail in any way
                if told != (told := str(error)):
                    if isinstance(error, UserError):
                        logger.warning(str(error))
                    else:
                        print_lines(*traceback.format_exc().split("\n"))
    return uploader


if __name__ == "__main__":
    from searchspace.cli.command import run_command

    run_command(main)
