"""A study that cannot be written: the search is ended, and entries that are not on disk are written elsewhere."""

import logging
import os
import shlex
import signal
import time
from typing import TYPE_CHECKING

from searchspace.cli.interruption import LostError
from searchspace.preparation.resume import resume_arguments
from searchspace.spec import SearchSpec
from searchspace.storage.search_folder import SEARCH_RECORD
from searchspace.study.journal import WRITE_RETRIES
from searchspace.study.study import flush_study, get_journal
from trainables.common.background import describe
from trainables.storage.cache import cache_folder
from trainables.storage.folders import stat_path

if TYPE_CHECKING:
    import optuna

    from searchspace.study.journal import WriteBehindJournal

logger = logging.getLogger(__name__)

RESCUE_FOLDER = "unwritten"
"""Folder in the cache for entries that could not be written to a journal."""


def end_search_on_write_failure(study: "optuna.Study") -> None:
    """Warn at once if the study's journal cannot be written; end the search by SIGTERM if retries fail, too."""

    def give_up(error: BaseException) -> None:
        logger.warning(
            f"the study could not be written for {WRITE_RETRIES.patience:.0f} s ({describe(error)}); "
            "the search ends, to be resumed when it can be"
        )
        os.kill(os.getpid(), signal.SIGTERM)

    if journal := get_journal(study):
        journal.watch(give_up)


def flush_or_rescue(study: "optuna.Study", spec: SearchSpec) -> None:
    """Wait until the study is on disk, where other processes read it.

    Raises `LostError` where that fails, or the search's folder is missing; it says how to resume.
    """
    journal = get_journal(study)
    try:
        flush_study(study)
    except OSError as error:
        if journal is None:
            raise
        raise LostError(_rescue(journal, spec, error)) from error
    if stat_path(spec.folder / SEARCH_RECORD) is None:
        raise LostError(f"{str(spec.folder)!r} is gone; when it is back: {_resume(spec)}")


def _resume(spec: SearchSpec) -> str:
    return f"searchspace run {shlex.join(resume_arguments(spec))}"


def _rescue(journal: "WriteBehindJournal", spec: SearchSpec, error: OSError) -> str:
    place = cache_folder() / RESCUE_FOLDER / f"{spec.name}-{time.time_ns()}.journal"
    path, resume = shlex.quote(str(journal.path)), _resume(spec)
    why = f"the study could not be written ({describe(error)})"
    try:
        count = journal.rescue(place)
    except OSError as other:
        return f"{why}, nor the end of it elsewhere ({describe(other)}); when its folder is back: {resume}"
    if not count:
        return f"{why}; when its folder is back: {resume}"
    return (
        f"{why}; its last {count:,} entries are in {place}: when its folder is back, "
        f"cat {shlex.quote(str(place))} >> {path} && {resume}"
    )
