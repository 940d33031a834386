"""Show and free what lies in this machine's cache, and old searches: `searchspace clean`."""

import time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import AfterValidator, Field

from searchspace.cleaning.cache_items import KINDS, LEFTOVERS_KIND, find_items
from searchspace.cleaning.machine_use import find_machine_use
from searchspace.cleaning.old_searches import find_old_searches
from searchspace.cleaning.plan_cleaning import (
    Cleaned,
    format_size,
    free,
    plan_items,
    plan_searches,
    to_record,
    to_row,
)
from searchspace.cli.command import run_command
from searchspace.cli.options import Option, with_options
from searchspace.cli.output import print_document, print_errors, print_lines
from searchspace.cli.values import Duration, Names, Place
from searchspace.reporting.tables.terminal_table import print_table
from searchspace.spec import parse_record
from trainables.common.errors import UserError, suggest
from trainables.config import Frozen
from trainables.storage.cache import cache_folder
from trainables.storage.object_store.remote import is_url

WHAT, HOW = "What goes", "How"
ONLY = (*KINDS, LEFTOVERS_KIND)
"""Kinds of the cache's contents that can be asked for."""


def check_kinds(names: tuple[str, ...]) -> tuple[str, ...]:
    """`names` if they are kinds of what the cache holds; raises ValueError for any others."""
    for name in names:
        if name not in ONLY:
            raise ValueError(f"{name!r} is not one of {', '.join(ONLY)}{suggest(name, ONLY)}")
    return names


class CleanOptions(Frozen):
    """What is to go."""

    only: Annotated[Names, AfterValidator(check_kinds), Option(WHAT, kind=list[str], metavar="A,B", choices=ONLY)] = ()
    """Only these parts of the cache: {choices}."""
    older_than: Annotated[Duration, Option(WHAT, kind=str, metavar="TIME")] = Field(0.0, ge=0)
    """Only what was not used for so long: 12h, 30d."""
    results: Annotated[Place | Literal[""], Option(WHAT, kind=str, metavar="FOLDER", is_path=True)] = ""
    """Instead of the cache, old searches in this folder; with --older-than."""
    keep_winners: Annotated[bool, Option(WHAT)] = False
    """Of old searches, only the folders of trials and their checkpoints; winner, study and report stay."""
    yes: Annotated[bool, Option(HOW)] = False
    """Delete it. Without, it is only shown."""
    form: Annotated[Literal["table", "json"], Option(HOW, "--format")] = "table"
    """How it is written."""


@with_options(CleanOptions)
def main(_given: frozenset[str], **options: Any) -> None:
    """Show what lies in this machine's cache, or old searches; with --yes, free it.

    What is in the cache can be made again: decoded, downloaded or computed.
    What a process of yours uses, or a running search needs, always stays.

    Example: searchspace clean --results results --older-than 30d --yes
    """
    asked, now = parse_record(CleanOptions, options), time.time()
    place, planned = plan(asked, now)
    failures = {id(thing): free(thing) for thing in planned if not thing.kept_why} if asked.yes else {}
    outcomes = {id(thing): _outcome(asked, failures.get(id(thing), "")) for thing in planned}
    if asked.form == "json":
        print_json([to_record(thing, outcomes[id(thing)]) for thing in planned])
    else:
        total = format_size(sum(thing.size for thing in planned))
        print_table([to_row(thing, now, outcomes[id(thing)]) for thing in planned], f"{place}: {total}")
        going = [thing for thing in planned if not thing.kept_why and not failures.get(id(thing))]
        print_lines("", _summary(going, asked.yes))
    if failed := [thing for thing in planned if failures.get(id(thing))]:
        print_errors(*(f"error: {thing.name!r}: {failures[id(thing)]}" for thing in failed))
        raise typer.Exit(1)


def plan(asked: CleanOptions, now: float) -> tuple[str, list[Cleaned]]:
    """What is looked at, and what goes and stays of it; raises `UserError` for options that mean nothing together."""
    if not asked.results:
        if asked.keep_winners:
            raise UserError("--keep-winners: is for old searches; give --results FOLDER too")
        cache = cache_folder()
        return str(cache), plan_items(find_items(cache), find_machine_use(cache), now, asked.older_than, asked.only)
    if is_url(asked.results):
        raise UserError(f"--results {asked.results!r}: is a URL; delete there by the tools of that storage")
    if asked.only:
        raise UserError("--only: is for the cache; leave out --results")
    if not asked.older_than:
        raise UserError(f"--results {asked.results!r}: give --older-than too, such as 30d")
    searches = find_old_searches(Path(asked.results), asked.keep_winners)
    return asked.results, plan_searches(searches, now, asked.older_than)


def _outcome(asked: CleanOptions, failure: str) -> str:
    if failure:
        return "failed"
    return "freed" if asked.yes else "goes with --yes"


def _summary(going: list[Cleaned], done: bool) -> str:
    size = format_size(sum(thing.size for thing in going))
    if not going:
        return "nothing was freed" if done else "nothing can be freed"
    return f"freed {size}" if done else f"nothing was deleted; --yes frees {size}"


def print_json(rows: list[Any]) -> None:
    """Print rows as JSON."""
    import json

    print_document(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    run_command(main)
