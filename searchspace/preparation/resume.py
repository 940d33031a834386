"""Resumes a search: loads its specification, and checks which options may be changed."""

import logging
import os
import shlex
import sys
from collections.abc import Mapping, Sequence, Set
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from searchspace.budget.budget import Budget
from searchspace.budget.presets import MAX_COUNT, default_patience
from searchspace.cli.command_start import mark_restart
from searchspace.cli.interruption import LostError
from searchspace.cli.options import flag_of
from searchspace.cli.run_options import RunOptions
from searchspace.own_code.code_options import options_with_code
from searchspace.own_code.kept_code import read_code
from searchspace.own_code.resumed_code import check_same_parts, check_same_space, with_kept_code
from searchspace.preparation.absolute_paths import with_absolute_paths
from searchspace.preparation.record_at_url import options_to_repeat, replaced_options
from searchspace.spec import SearchSpec, extend_record, load_facts, load_spec, parse_record
from searchspace.storage.folder_contents import FolderContents, classify_contents, names_in
from searchspace.storage.open_results import open_results
from searchspace.storage.search_folder import SEARCH_RECORD
from searchspace.storage.search_names import find_search
from trainables.common.errors import UserError
from trainables.storage.object_store.remote import check_recorded_location, is_url, join_url
from trainables.storage.ownership import check_owned

if TYPE_CHECKING:
    import optuna

    from searchspace.study.study import StudyReader
    from trainables.data.store.data_summary import DataSummary

logger = logging.getLogger(__name__)

LOCATION_OPTIONS = frozenset({"data", "root", "space", "storage", "results"})
"""Options that say where something of a search is; it must be the same there."""
CHANGEABLE_OPTIONS = LOCATION_OPTIONS | {
    "trials", "budget", "time_budget", "patience", "max_concurrent", "memory_gb", "address", "keep_gb",
}  # fmt: skip
"""Options of a search that change nothing of what its trials are."""
REVIVE_OPTIONS = LOCATION_OPTIONS | {"memory_gb", "address", "resume", "revive", "verbose", "price_per_hour"}
"""Options that say something where one trial is revived."""
FINISHED = "finished"
"""Record of the study: trials that were asked for when its winner was exported."""
FINISHED_BUDGET = "finished budget"
"""Record of the study: the budget of the search then, if it had one."""
LOSSES = "SEARCHSPACE_LOSSES"
"""Environment variable: how often this command was restarted."""
MAX_RESTARTS = 3
"""Restarts after which a command gives up; its search can still be resumed."""


def load_resumed_spec(name: str, options: Mapping[str, Any], given: Set[str]) -> SearchSpec:
    """The specification of the search `name`, with what was `given` anew; raises `UserError` for what cannot change.

    Its folder may have been renamed or moved since; what it is called and where it is now counts.
    """
    results, name = locate_search(str(options["results"]), name)
    folder = open_begun_search(results, name)
    linked, folder = folder.is_symlink(), folder.resolve()
    check_was_begun(name, folder)
    known = load_spec(folder)
    if linked:
        results, name = check_recorded("--resume", name, "results", known.results), known.name
    repeated = options_with_code(options, given)
    check_changes(name, given - repeated)
    for option in {"data", "root"} - given:
        check_recorded("--resume", name, option, getattr(known, option))
    changed = {option: options[option] for option in (CHANGEABLE_OPTIONS & given) | repeated} | {"results": results}
    if "budget" in given and "trials" not in given and known.budget is None:
        changed["trials"] = MAX_COUNT  # as of a new search with a budget
    if "budget" in given and "patience" not in given and known.budget is None:
        changed["patience"] = default_patience(known.model_dump() | changed)
    facts = load_facts(folder)
    code = read_code(folder, facts)
    if is_url(results):
        kept = {"space"} if any(part.reference == known.space for part in code.of_kind("space")) else set[str]()
        changed |= replaced_options(known, str(facts.get("space_sha256") or ""), given | kept)
    spec = with_absolute_paths(parse_record(SearchSpec, known.model_dump() | changed))
    if spec.trials < known.trials:
        raise UserError(f"--trials {spec.trials}: search {name!r} was begun with {known.trials}; it can only have more")
    if "space" in given and not code:
        check_same_space(spec, facts)
    spec = with_kept_code(spec, code, repeated, is_url(results))
    for option in repeated - {"space"}:
        check_same_parts(option, getattr(known, option), getattr(spec, option), name)
    return spec.model_copy(update={option: getattr(known, option) for option in repeated - {"space"}})


def locate_search(results: str, name: str) -> tuple[str, str]:
    """Folder of all searches, and name, of the earlier search that `name` means, in any way that one is named."""
    return find_begun(*split_search_path(results, find_search(name) if "/" in name else name))


def check_recorded(flag: str, name: str, option: str, place: str) -> str:
    """A place that the record of the search `name` has; raises `UserError` where it chooses a host or credentials."""
    try:
        return check_recorded_location(place)
    except ValueError as error:
        raise UserError(f"{flag} {name!r}: its {option} {place!r} {error}") from error


def split_search_path(results: str, name: str) -> tuple[str, str]:
    """Folder of all searches, and name, of a search that is named by its name or by its path or URL."""
    place = name.rstrip("/")
    if is_url(place):
        base, mark, query = place.partition("?")
        parent, _, last = base.rstrip("/").rpartition("/")
        return parent + mark + query, last
    if "/" not in place:
        return results, place
    if not is_url(results) and not (Path(results) / place).is_dir() and Path(place).is_dir():
        return str(Path(place).parent), Path(place).name
    parent, _, last = place.rpartition("/")
    return (join_url(results, parent) if is_url(results) else str(Path(results) / parent)), last


def find_begun(results: str, name: str) -> tuple[str, str]:
    """The same for `latest`, or the beginning of a name, as `find_search` understands them."""
    place = join_url(results, name) if is_url(results) else str(Path(results) / name)
    found = find_search(place)
    if found == place:
        return results, name
    parent, _, last = found.rpartition("/")
    return (parent or "."), last


def check_revived(given: Set[str]) -> None:
    """Raise `UserError` for an option that would say nothing where one trial is revived."""
    for option in sorted(given - REVIVE_OPTIONS):
        record = SearchSpec if option in SearchSpec.model_fields else RunOptions
        raise UserError(f"{flag_of(record, option)}: says nothing with --revive, which trains one trial on as it was")


def open_begun_search(results: str, name: str) -> Path:
    """Folder to read of a search that was begun; raises `UserError` where others may write to it."""
    if is_url(results):
        return open_results(join_url(results, name)).folder
    folder = Path(results).resolve() / name
    check_owned(folder)  # what lies there names code that is run
    return folder


def check_was_begun(name: str, folder: Path) -> None:
    """Raise `UserError` where `folder` holds no more than remains of a command that ended before its search began."""
    names = names_in(folder)
    if names and classify_contents(names) == FolderContents.NOTHING:
        raise UserError(
            f"--resume {name!r}: was never begun: its command ended before its record was written; "
            "the same command as before, with --name instead of --resume, starts it"
        )


def check_changes(name: str, given: Set[str]) -> None:
    """Raise `UserError` if an option was `given` that the search `name` cannot be resumed with."""
    for option in sorted(given & SearchSpec.model_fields.keys() - CHANGEABLE_OPTIONS):
        raise UserError(
            f"{flag_of(SearchSpec, option)}: is part of what search {name!r} is; with --resume only "
            f"{', '.join(sorted(flag_of(SearchSpec, field) for field in CHANGEABLE_OPTIONS))} may be given"
        )


def check_same_data(spec: SearchSpec, data: "DataSummary") -> None:
    """Raise `UserError` if the data is not what the search was on."""
    known = load_facts(spec.folder).get("data", {}).get("fingerprint")
    if known != data.fingerprint:
        raise UserError(
            f"--resume {spec.name!r}: --data {spec.data!r} is not what it was begun on, or has changed since "
            f"(fingerprint {data.fingerprint[:12]}, not {str(known)[:12]})"
        )


def record_resumption(spec: SearchSpec, data: "DataSummary") -> None:
    """Record in `search.json` when the search was resumed, its present options, and where its data are."""
    times = [*load_facts(spec.folder).get("resumed", []), datetime.now(UTC).isoformat(timespec="seconds")]
    facts = {"spec": spec.model_dump(mode="json"), "data": data.model_dump(), "resumed": times}
    extend_record(spec.folder, facts)


def is_exported(study: "StudyReader", spec: SearchSpec) -> bool:
    """Whether the winner of so many trials, and of as large a budget, has been exported."""
    from pydantic import TypeAdapter

    from searchspace.study.study import parse_study_attribute

    if spec.budget is not None:
        earlier = parse_study_attribute(study, FINISHED_BUDGET, TypeAdapter(Budget))
        if spec.budget.exceeds(earlier):
            return False
    return (parse_study_attribute(study, FINISHED, TypeAdapter(int)) or 0) >= spec.trials


def is_finished(spec: SearchSpec) -> bool:
    """Whether there is nothing left to do for a search."""
    from searchspace.study.study import find_study

    study = find_study(spec, open_begun_search(spec.results, spec.name))
    return study is not None and is_exported(study, spec)


def write_finished(study: "optuna.Study", spec: SearchSpec) -> None:
    """Keep that the winner of so many trials, and of so large a budget, has been exported."""
    from searchspace.study.study import write_study_attribute

    if spec.budget is not None:
        write_study_attribute(study, FINISHED_BUDGET, spec.budget.model_dump())
    write_study_attribute(study, FINISHED, spec.trials)


def resume_arguments(spec: SearchSpec) -> list[str]:
    """Command-line arguments that resume the search."""
    again = options_to_repeat(spec) if is_url(spec.results) else []
    places = (("--data", spec.data), ("--root", spec.root))
    data = [word for flag, url in places if is_url(url) and "?" in url for word in (flag, url)]  # a record chooses none
    return ["--resume", spec.name, *([] if spec.results == "results" else ["--results", spec.results]), *again, *data]


def how_to_resume(spec: SearchSpec) -> str:
    """The advice to resume, with its command; `nothing was begun` without a record."""
    if not (spec.folder / SEARCH_RECORD).is_file():
        return "nothing was begun"
    return f"resume with: searchspace run {shlex.join(resume_arguments(spec))}"


def restart_search(spec: SearchSpec, options: Sequence[str], error: Exception) -> NoReturn:
    """Replace this process by a command that resumes the search, with `options` added.

    Raises `LostError` after too many restarts.

    The process is replaced because `ray.shutdown` ends a process whose threads still call Ray, as those of the gangs
    do. The Ray processes that it started are ended first.
    """
    from searchspace.cluster.local_ray import kill_own
    from searchspace.study.database import STORAGE_VARIABLE, url_with_password

    losses = int(os.environ.get(LOSSES, "0")) + 1
    if losses > MAX_RESTARTS:
        raise LostError(f"{error}, for the {losses}th time") from error
    kill_own()
    sys.stdout.flush()
    secrets = {STORAGE_VARIABLE: url_with_password(spec.storage)} if spec.storage else {}  # never on a command line
    mark_restart()
    os.environ.update({**secrets, LOSSES: str(losses)})
    command = [sys.executable, "-m", "searchspace.run", *resume_arguments(spec), *options]
    os.execv(sys.executable, command)  # noqa: S606  # this program


def format_folder(spec: SearchSpec) -> str:
    """The search's folder as one would type it here."""
    return spec.home.url or os.path.relpath(spec.folder)
