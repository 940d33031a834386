"""Follows the log of a job to the job's end, and reconnects after lost connections."""

import asyncio
import time
from collections.abc import AsyncIterator

from searchspace.cli.output import print_document, print_lines
from searchspace.cluster.submit.jobs import Job, JobsClient, UnknownJobError, connected_jobs
from searchspace.cluster.submit.submit_options import SubmitOptions
from trainables.common.errors import UserError
from trainables.common.escaping import as_log

RECONNECT_AFTER_S = 60.0
"""Seconds without output after which the connection is made again, as it may be dead."""
CONNECTION_TIMEOUT_S = 600.0
"""Seconds without any connection after which the command gives up; the job continues."""
RECONNECT_PAUSE_S = 3.0
"""Seconds between two attempts."""


class JobLog:
    """One job's log, of which every character is shown once."""

    def __init__(self, options: SubmitOptions, job: Job) -> None:
        """Watch a job of the cluster that `options` name."""
        self._options, self._job = options, job
        self._shown = 0

    def follow(self) -> Job:
        """Show the log until the job is over; returns how it ended.

        Raises `UserError` where the cluster cannot be reached, at once or any longer, or knows the job no more.
        """
        seen, cut = 0.0, False
        while True:
            try:
                with connected_jobs(self._options) as jobs:
                    seen, cut = time.monotonic(), False
                    asyncio.run(self._show(jobs))
                    job, seen = jobs.get(self._job.id), time.monotonic()
                if job.is_over:
                    return job
            except UnknownJobError:
                raise
            except UserError as error:
                if not seen or time.monotonic() - seen > CONNECTION_TIMEOUT_S:
                    raise
                if not cut:
                    print_lines(f"{error}; trying again, the job continues", error=True)
                cut = True
            time.sleep(RECONNECT_PAUSE_S)

    async def _show(self, jobs: JobsClient) -> None:
        """Show what has not been shown yet, until the log ends or the connection does."""
        position, pieces = 0, jobs.tail(self._job)
        while (piece := await _next(pieces)) is not None:
            print_document(as_log(piece[max(0, self._shown - position) :]))
            position += len(piece)
            self._shown = max(self._shown, position)


async def _next(pieces: AsyncIterator[str]) -> str | None:
    """What comes next of a log; None where it ends, or the connection does, which the job's state tells apart."""
    import aiohttp

    try:
        return await asyncio.wait_for(anext(pieces), RECONNECT_AFTER_S)
    except (StopAsyncIteration, TimeoutError, RuntimeError, OSError, aiohttp.ClientError):
        return None
