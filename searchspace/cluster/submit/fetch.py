"""Fetches a search's results to this machine, from a URL or from the disk of the cluster's head."""

import os
from pathlib import Path

from searchspace.cluster.submit.head_node import copy_down
from searchspace.cluster.submit.jobs import Job
from searchspace.cluster.submit.submit_options import SubmitOptions
from trainables.common.errors import UserError
from trainables.storage.folder_sync import FolderSync, without_checkpoints
from trainables.storage.object_store.remote import format_storage_error, is_url, join_url, open_remote
from trainables.storage.search_storage import SearchStorage


def fetch(job: Job, options: SubmitOptions, into: Path) -> Path:
    """Copy what a job's search has left so far into the folder `into`; returns the search's folder there.

    Without the trials' checkpoints where it is at a URL. Raises `UserError` where its results cannot be reached from
    here, or are here anyway.
    """
    if is_url(job.results):
        return _fetch_url(join_url(job.results, job.search), into / job.search)
    there, here = Path(job.results) / job.search, into / job.search
    if not options.cluster and there.is_dir():
        raise UserError(f"search {job.search!r}: its results are on this machine already, in {str(there)!r}")
    if not options.cluster:
        raise UserError(
            f"search {job.search!r}: its results are in {str(there)!r} of the cluster, which a dashboard does not give "
            "away; give --cluster FILE.yaml, copy them (scp, kubectl cp), or search with --results s3://BUCKET/FOLDER"
        )
    copy_down(options.cluster, str(there), here)
    return Path(os.path.relpath(here))


def _fetch_url(url: str, here: Path) -> Path:
    open_remote("--results", url)
    here.mkdir(parents=True, exist_ok=True)
    try:
        FolderSync(SearchStorage(folder=str(here.resolve()), url=url)).pull(without_checkpoints)
    except OSError as error:
        raise UserError(f"{url!r}: {format_storage_error(error)}") from error
    return Path(os.path.relpath(here))
