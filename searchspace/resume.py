"""Resuming: what a search that was begun needs to go on, and what may be changed about it."""

import os
import shlex
from collections.abc import Mapping, Set
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchspace.home.reading import read
from searchspace.options import flag_of
from searchspace.spec import SearchSpec, extend_record, load_facts, load_spec, make_spec
from trainables.errors import UserError
from trainables.home.storage import is_url, join
from trainables.ownership import check_owned

if TYPE_CHECKING:
    import optuna

    from searchspace.study import Recorded
    from trainables.data.summary import DataSummary

CHANGEABLE = frozenset({"trials", "time_budget", "max_concurrent", "memory_gb", "address", "keep_gb", "results"})
"""Options of a search that change nothing of what its trials are."""
FINISHED = "finished"
"""Record of the study: trials that were asked for when its winner was exported."""


def choose_resumed(name: str, options: Mapping[str, Any], given: Set[str]) -> SearchSpec:
    """The specification of the search `name`, with what was `given` anew; raises `UserError` for what cannot change."""
    known = load_spec(begun(str(options["results"]), name))
    check_changes(name, given)
    changed = {option: options[option] for option in CHANGEABLE & given}
    spec = make_spec(**(known.model_dump() | {"results": options["results"]} | changed))
    if spec.trials < known.trials:
        raise UserError(f"--trials {spec.trials}: search {name!r} was begun with {known.trials}; it can only have more")
    return spec


def begun(results: str, name: str) -> Path:
    """Folder to read of a search that was begun; raises `UserError` where others may write to it."""
    if is_url(results):
        return read(join(results, name)).folder
    folder = Path(results).resolve() / name
    check_owned(folder)  # what lies there names code that is run
    return folder


def check_changes(name: str, given: Set[str]) -> None:
    """Raise `UserError` if an option was `given` that the search `name` cannot go on with."""
    for option in sorted(given & SearchSpec.model_fields.keys() - CHANGEABLE):
        raise UserError(
            f"{flag_of(SearchSpec, option)}: is part of what search {name!r} is; with --resume only "
            f"{', '.join(sorted(flag_of(SearchSpec, field) for field in CHANGEABLE))} may be given"
        )


def check_same_data(spec: SearchSpec, data: "DataSummary") -> None:
    """Raise `UserError` if the data is not what the search was on."""
    known = load_facts(spec.folder).get("data", {}).get("fingerprint")
    if known != data.fingerprint:
        raise UserError(f"--resume {spec.name!r}: --data {spec.data!r} has changed since (fingerprint {known})")


def record_resumption(spec: SearchSpec) -> None:
    """Keep in `search.json` when the search went on, and what is asked of it now."""
    times = [*load_facts(spec.folder).get("resumed", []), datetime.now(UTC).isoformat(timespec="seconds")]
    extend_record(spec.folder, {"spec": spec.model_dump(mode="json"), "resumed": times})


def is_done(study: "Recorded", trials: int) -> bool:
    """Whether the winner of so many trials has been exported."""
    from searchspace.study import get_record

    return (get_record(study, FINISHED) or 0) >= trials


def is_finished(spec: SearchSpec) -> bool:
    """Whether there is nothing left to do for a search."""
    from searchspace.study import JOURNAL, load_study

    folder = begun(spec.results, spec.name)
    known = bool(spec.storage) or (folder / JOURNAL).is_file()
    return known and is_done(load_study(spec, folder), spec.trials)


def put_finished(study: "optuna.Study", trials: int) -> None:
    """Keep that the winner of so many trials has been exported."""
    from searchspace.study import put_record

    put_record(study, FINISHED, trials)


def resume_arguments(spec: SearchSpec) -> list[str]:
    """Command-line arguments with which the search goes on."""
    return ["--resume", spec.name, *([] if spec.results == "results" else ["--results", spec.results])]


def how_to_resume(spec: SearchSpec) -> str:
    """The command that goes on, if there is anything to go on with."""
    if not (spec.folder / "search.json").is_file():
        return "nothing was begun"
    return f"go on with: python -m searchspace.run {shlex.join(resume_arguments(spec))}"


def shown(spec: SearchSpec) -> str:
    """The search's folder as one would type it here."""
    return spec.home.url or os.path.relpath(spec.folder)
