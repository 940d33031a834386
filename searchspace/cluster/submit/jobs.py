"""Jobs of a cluster, by Ray's Jobs API: each knows its search, and where the results are."""

import os
import shlex
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from searchspace.cluster.joined_ray import TOKEN_VARIABLES as TOKENS
from searchspace.cluster.joined_ray import format_token_advice
from searchspace.cluster.submit.head_node import ssh_command
from searchspace.cluster.submit.job_request import JobRequest
from searchspace.cluster.submit.submit_options import SubmitOptions
from searchspace.cluster.submit.tunnel import tunnel
from trainables.common.errors import UserError, suggest
from trainables.config import Frozen

if TYPE_CHECKING:
    from ray.job_submission import JobDetails

END_STATES = ("SUCCEEDED", "FAILED", "STOPPED")
"""States of a job that is over."""
STOPPED_EXIT_CODE = 128 + 15
"""Exit code of a search that SIGTERM ended, as its shell would say it."""
OVERRIDING_VARIABLES = ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS")
"""Variables that Ray's client would follow rather than what it is told."""


class UnknownJobError(UserError):
    """The cluster answers, and does not know the job: it lives no longer than its head."""


class Job(Frozen):
    """One run of a search as a job."""

    id: str
    """Ray's name of it: the search's, with a number where it had a job before."""
    search: str
    """Name of the search."""
    results: str
    """Folder or URL of all results, as the cluster finds it."""
    again: str
    """Options that another job of this search needs, on a command line."""
    state: str
    """PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED."""
    message: str
    """What Ray says of that."""
    started: datetime
    """When it was submitted."""
    exit_code: int | None
    """Of the search's command; None where it is not known."""

    @property
    def is_over(self) -> bool:
        """Whether the job has ended."""
        return self.state in END_STATES

    @property
    def code(self) -> int:
        """Exit code for who watched it to its end: the search's own as far as that is known."""
        known = {"SUCCEEDED": 0, "STOPPED": STOPPED_EXIT_CODE}
        return known.get(self.state, self.exit_code or 1)


class JobsClient:
    """The jobs of searches of one cluster."""

    def __init__(self, url: str, name: str) -> None:
        """Connect to the dashboard at `url`; `name` says in messages what cluster that is.

        Raises `UserError` where nothing answers, for a refused token, and for what is no dashboard of Ray.
        """
        self._name = name
        _check_reachable(url, name)
        for variable in OVERRIDING_VARIABLES:
            os.environ.pop(variable, None)
        from ray.job_submission import JobSubmissionClient

        with self._plainly():
            self._client = JobSubmissionClient(url)

    def list_all(self) -> list[Job]:
        """Every job of a search that the cluster knows, the newest first."""
        with self._plainly():
            found = self._client.list_jobs()
        jobs = [_read(details) for details in found if details.submission_id and "search" in (details.metadata or {})]
        return sorted(jobs, key=lambda job: job.started, reverse=True)

    def find(self, search: str) -> Job:
        """The newest job of a search; raises `UserError` where there is none."""
        jobs = self.list_all()
        for job in jobs:
            if job.search == search:
                return job
        known = dict.fromkeys(job.search for job in jobs)
        told = f"it knows {', '.join(known)}" if known else "it knows of none"
        raise UserError(f"search {search!r}: {self._name} has no job of it; {told}{suggest(search, known)}")

    def get(self, job_id: str) -> Job:
        """One job, as it stands; raises `GoneError` where the cluster does not know it, or knows it no more."""
        for job in self.list_all():
            if job.id == job_id:
                return job
        raise UnknownJobError(f"{self._name}: knows no job {job_id!r}; if its head was restarted, --resume the search")

    def submit(self, order: JobRequest, folder: Path, variables: Mapping[str, str], again: str) -> Job:
        """Send an order with its `folder`; raises `UserError` while another job works on the same search."""
        jobs = self.list_all()
        for job in jobs:
            if job.search == order.search and not job.is_over:
                raise UserError(
                    f"search {order.search!r}: job {job.id!r} is working on it, since {job.started:%F %T} UTC"
                )
        taken = {job.id for job in jobs}
        numbered = (f"{order.search}-{number}" for number in range(2, len(taken) + 3))
        name = next(free for free in (order.search, *numbered) if free not in taken)
        with self._plainly():
            self._client.submit_job(
                entrypoint=shlex.join(["python", "-m", "searchspace.run", *order.arguments]),
                submission_id=name,
                runtime_env={"working_dir": str(folder), "env_vars": dict(variables)},
                metadata={"search": order.search, "results": order.results, "again": again},
            )
        return self.get(name)

    def stop(self, job: Job) -> None:
        """Ask a job to end; what that takes is the search's own, see `variables`."""
        with self._plainly():
            self._client.stop_job(job.id)

    def tail(self, job: Job) -> AsyncIterator[str]:
        """The log of a job from its beginning, as it grows; raises the errors of Ray's client."""
        return self._client.tail_job_logs(job.id)

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        """Ray's errors in one line."""
        import requests
        from ray.exceptions import AuthenticationError

        try:
            yield
        except AuthenticationError as error:
            raise UserError(f"{self._name}: {format_token_advice()}") from error
        except (requests.exceptions.JSONDecodeError, requests.exceptions.HTTPError) as error:
            raise UserError(f"{self._name}: what answers there is no dashboard of Ray") from error
        except (OSError, requests.exceptions.RequestException) as error:
            raise UserError(f"{self._name}: does not answer ({_first_line(error)})") from error
        except (RuntimeError, ValueError) as error:
            raise UserError(f"{self._name}: {_first_line(error)}") from error


def show_token() -> None:
    """Let Ray's clients show the token that there is; before Ray is first imported, which reads this once."""
    if os.environ.keys() & set(TOKENS) or os.path.isfile(os.path.expanduser("~/.ray/auth_token")):
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def _check_reachable(url: str, name: str) -> None:
    """Ray's client would wait for minutes where nothing answers."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname or "", port), timeout=10).close()
    except ValueError as error:
        raise UserError(f"{name}: is no URL ({error})") from error
    except OSError as error:
        raise UserError(f"{name}: no dashboard answers there ({error})") from error


def _read(details: "JobDetails") -> Job:
    found: dict[str, Any] = details.metadata or {}
    return Job(
        id=details.submission_id, search=found["search"], results=found["results"], again=found["again"],
        state=details.status.value, message=details.message or "", exit_code=details.driver_exit_code,
        started=datetime.fromtimestamp((details.start_time or 0) / 1000, UTC),
    )  # fmt: skip


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


DASHBOARD_PORT = 8265
"""Port of a head's dashboard, which listens on its loopback."""


@contextmanager
def connected_jobs(options: SubmitOptions) -> Iterator[JobsClient]:
    """The cluster's jobs, by a tunnel of one's own where its file was given.

    Raises `UserError` where it does not answer, or not to us.
    """
    show_token()
    with ExitStack() as held:
        url = options.address
        if options.cluster:
            port = held.enter_context(tunnel(ssh_command(options.cluster), DASHBOARD_PORT, options.where))
            url = f"http://127.0.0.1:{port}"
        yield JobsClient(url, options.where)
