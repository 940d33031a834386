"""Actions on a search on a cluster: submit, status, logs, stop and fetch."""

import os
import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from searchspace.cli.output import print_lines
from searchspace.cluster.submit.fetch import fetch
from searchspace.cluster.submit.follow import JobLog
from searchspace.cluster.submit.job_request import parse_job_request
from searchspace.cluster.submit.jobs import Job, connected_jobs
from searchspace.cluster.submit.package import package_job
from searchspace.cluster.submit.submit_options import SubmitOptions
from searchspace.preparation.record import COMMIT_VARIABLE, git_commit
from searchspace.reporting.tables.table import Row
from searchspace.reporting.tables.terminal_table import print_table
from trainables.common.errors import UserError

STOP_TIMEOUT_S = 120
"""Seconds that a search has to finish its epochs and save, after which Ray kills it; its own default is 3."""
SUBMIT_COMMAND = "searchspace submit"


def submit(options: SubmitOptions, arguments: Sequence[str]) -> None:
    """Run a search as a job, and watch it; `arguments` are those of `searchspace.run`."""
    order = parse_job_request(arguments)
    if order is None:  # it was --help
        return
    ship = (*order.code, *options.ship)
    again = [*(["--ship", ",".join(ship)] if ship else []), *(["--env", ",".join(options.env)] if options.env else [])]
    variables = _variables(options.env)
    with package_job(order, options.ship) as folder, connected_jobs(options) as jobs:
        job = jobs.submit(order, folder, variables, shlex.join(again))
    print_lines(f"search {job.search!r} is job {job.id!r} of the cluster; Ctrl-C only stops watching")
    _watch(options, job)


def status(options: SubmitOptions, search: str = "") -> None:
    """Print a table of a search's jobs, or of all."""
    with connected_jobs(options) as jobs:
        found = (
            [job for job in jobs.list_all() if job.search == search] or [jobs.find(search)]
            if search
            else jobs.list_all()
        )
    print_table([_row(job) for job in found], f"jobs of {options.where}", ("search", "state", "started"))


def logs(options: SubmitOptions, search: str) -> None:
    """Show what a search's newest job has said, and says until its end."""
    with connected_jobs(options) as jobs:
        job = jobs.find(search)
    _watch(options, job)


def stop(options: SubmitOptions, search: str) -> None:
    """Stop a search so that it can be resumed: every trial finishes its epoch and is saved."""
    with connected_jobs(options) as jobs:
        job = jobs.find(search)
        if not job.is_over:
            jobs.stop(job)
            print_lines(f"stopping job {job.id!r}: every trial finishes its epoch and is saved")
        while not job.is_over:
            time.sleep(1.0)
            job = jobs.get(job.id)
    _say_end(options, job)


def fetch_results(options: SubmitOptions, search: str, into: str = "results") -> None:
    """Copy what a search has left so far to this machine."""
    with connected_jobs(options) as jobs:
        job = jobs.find(search)
    folder = fetch(job, options, Path(into))
    print_lines(f"search {search!r} is in {folder}; next: searchspace leaderboard {shlex.quote(str(folder))}")


ACTIONS: dict[str, Callable[..., None]] = {"status": status, "logs": logs, "stop": stop, "fetch": fetch_results}
ACTION_ARGUMENTS = {"status": (0, 1), "logs": (1, 1), "stop": (1, 1), "fetch": (1, 2)}
"""Fewest and most words after an action's."""


def _variables(names: Sequence[str]) -> dict[str, str]:
    """Environment of the job: those `names` of this one's, and how long it may take to stop."""
    for name in names:
        if name not in os.environ:
            raise UserError(f"--env {name!r}: is not set here")
    given = {name: os.environ[name] for name in names}
    return {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_TIMEOUT_S), COMMIT_VARIABLE: git_commit()} | given


def _watch(options: SubmitOptions, job: Job) -> None:
    """Show a job to its end, and exit as its search did."""
    try:
        job = JobLog(options, job).follow()
    except KeyboardInterrupt:
        call = shlex.join([*options.arguments, "logs", job.search])
        print_lines("", f"no longer watched; the job continues. Again: {SUBMIT_COMMAND} {call}", error=True)
        raise typer.Exit(130) from None
    _say_end(options, job)
    raise typer.Exit(job.code)


def _say_end(options: SubmitOptions, job: Job) -> None:
    print_lines(f"job {job.id!r}: {job.state.lower()}{_reason(job)}")
    if job.state != "SUCCEEDED":
        search = shlex.join(["--resume", job.search, "--results", job.results])
        where = " ".join(filter(None, [shlex.join(options.arguments), job.again]))
        print_lines(f"resume with: {SUBMIT_COMMAND} {where} -- {search}")


def _reason(job: Job) -> str:
    """Why a job failed, in a few words; its log says more."""
    if job.state != "FAILED":
        return ""
    return f" ({next(iter(job.message.splitlines()), '').split(', last available logs')[0]})"


def _row(job: Job) -> Row:
    state = job.state.lower() + _reason(job)
    return {
        "search": job.search,
        "state": state,
        "started": f"{job.started:%F %T} UTC",
        "results": job.results,
        "job": job.id,
    }
