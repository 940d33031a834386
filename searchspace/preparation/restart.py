"""Restarts a command whose cluster was lost: it resumes its search."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from searchspace.cli.interruption import LostError
from searchspace.cluster.connect import losses_told
from searchspace.preparation.resume import restart_search
from searchspace.progress.console_reporter import ConsoleReporter
from searchspace.spec import SearchSpec

if TYPE_CHECKING:
    import optuna

    from trainables.storage.folder_sync import FolderSync

logger = logging.getLogger(__name__)


@contextmanager
def restarting(
    spec: SearchSpec, study: "optuna.Study", folder_sync: "FolderSync", reporter: ConsoleReporter,
    check: Callable[[], None],
) -> Iterator[None]:  # fmt: skip
    """Restart the command if the cluster is lost in the block; the study is written first.

    `check` raises where a signal asks the command to end instead.
    """
    from searchspace.study.write_failure import flush_or_rescue

    try:
        with losses_told():
            yield
    except LostError as error:
        flush_or_rescue(study, spec)
        check()
        logger.warning(f"lost {error}; resuming from the record")
        reporter.close()
        with suppress(OSError):  # the restarted command has the folder; the upload is for a resume elsewhere
            folder_sync.push()
        restart_search(spec, reporter.restart_options, error)
    except Exception:
        flush_or_rescue(study, spec)  # a fault of the search's folder explains the exception
        raise
    flush_or_rescue(study, spec)  # other processes read it from here on
