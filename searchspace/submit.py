"""Submit searches as jobs of a cluster: `searchspace submit --cluster cluster/gpu.yaml -- --trials 64`."""

import logging
from typing import Annotated, Any

import typer

from searchspace.cli.command import run_command
from searchspace.cli.options import with_options
from searchspace.cluster.submit.actions import ACTION_ARGUMENTS, ACTIONS, submit
from searchspace.cluster.submit.submit_options import SubmitOptions, check_cluster
from searchspace.spec import parse_record
from trainables.common.errors import UserError, suggest

HELP = "The options of searchspace.run, after --; or status [NAME], logs NAME, stop NAME, fetch NAME [FOLDER]."


@with_options(SubmitOptions)
def main(
    _given: frozenset[str],
    words: Annotated[list[str] | None, typer.Argument(metavar="[-- OPTIONS | ACTION NAME]", help=HELP)] = None,
    **options: Any,
) -> None:
    """Run a search as a job of a cluster, independent of this machine, and follow its log.

    With an action instead: status, logs (watch again), stop (it can be resumed), fetch (copy its results here).

    Example: searchspace submit --cluster cluster/gpu.yaml -- --trials 64 --results s3://bucket/results
    """
    where = parse_record(SubmitOptions, options)
    check_cluster(where)
    logging.disable(logging.INFO)  # Ray tells of every upload and connection
    word, *others = words or [""]
    if word.startswith("-"):
        submit(where, [word, *others])
    else:
        act(where, word, others)


def act(where: SubmitOptions, action: str, words: list[str]) -> None:
    """Do what `action` names; raises `UserError` for one that there is not, or too few or many `words`."""
    if action not in ACTIONS:
        what = f"{action!r}: no such action" if action else "nothing to do"
        raise UserError(
            f"{what}; write the options of a search after --, or one of {', '.join(ACTIONS)}{suggest(action, ACTIONS)}"
        )
    fewest, most = ACTION_ARGUMENTS[action]
    if not fewest <= len(words) <= most:
        raise UserError(
            f"{action}: takes {'the name of a search' if fewest else 'at most one name'} (--help says more)"
        )
    ACTIONS[action](where, *words)


if __name__ == "__main__":
    run_command(main)
