"""A job request: options of `searchspace.run`, checked before anything is sent, and adapted to the cluster."""

from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from searchspace.cli.arguments import to_arguments
from searchspace.cli.options import flag_of, with_options
from searchspace.cli.run_options import RunOptions, with_price
from searchspace.cluster.submit.shipped_code import ship_code
from searchspace.configuration.effective_options import effective_options
from searchspace.own_code.code_options import options_with_code
from searchspace.preparation.resume import check_changes
from searchspace.spec import SearchSpec, make_spec, parse_record
from trainables.common.errors import UserError
from trainables.common.redaction import is_redacted, redact_urls
from trainables.config import Frozen
from trainables.data.sources.source_registry import NAMED_SETS

JOB_ADDRESS = "auto"
"""Address of the cluster for programs that run on it."""
REACHABLE_ADVICE = "give a URL such as s3://BUCKET/FOLDER, or an absolute path that all of the cluster's nodes have"


class JobRequest(Frozen):
    """A search that a job is to run."""

    search: str
    """The search's name."""
    results: str
    """Its results as the cluster finds them: a URL, or an absolute path."""
    arguments: tuple[str, ...]
    """Command line of `searchspace.run` there."""
    code: tuple[str, ...] = ()
    """Files and packages here with code of the user's own; they go along, and have their bare names there."""


def parse_job_request(arguments: Sequence[str]) -> JobRequest | None:
    """The search that `arguments` of `searchspace.run` ask for; None where they only asked for help.

    Raises what that command raises for what is wrong with them, and `UserError` for what means nothing elsewhere.
    """
    asked = _parse(arguments)
    if asked is None:
        return None
    effective = effective_options(*asked)
    with effective.explaining_errors():
        return _request(effective.given, dict(effective.values))


def _request(given: frozenset[str], options: dict[str, Any]) -> JobRequest:
    run_options = parse_record(RunOptions, {name: options[name] for name in RunOptions.model_fields})
    wanted = {name: value for name, value in options.items() if name in SearchSpec.model_fields}
    if run_options.resume:
        check_changes(run_options.resume, given - options_with_code(options, given))
    elif run_options.revive is not None:
        raise UserError(f"--revive {run_options.revive}: give --resume NAME too, the search of that stopped trial")
    if run_options.print_config:
        raise UserError("--print-config: prints a file for searchspace run; a job has nothing to print")
    spec = make_spec(**wanted | ({"name": run_options.resume} if run_options.resume else {}))
    with_price(spec, run_options.price_per_hour)
    _check_elsewhere(spec, given)
    changed = {"address": JOB_ADDRESS} | ({} if run_options.resume else {"name": spec.name})
    shipped = ship_code(spec)
    changed |= shipped.options
    return JobRequest(
        search=spec.name, results=spec.results, code=shipped.files,
        arguments=tuple(_write(given | changed.keys(), options | changed)),
    )  # fmt: skip


def _parse(arguments: Sequence[str]) -> tuple[Set[str], dict[str, Any]] | None:
    """What was typed, and all values, as `searchspace.run` would get them."""
    import typer

    from searchspace.cli.command import Command

    found: list[tuple[Set[str], dict[str, Any]]] = []

    @with_options(SearchSpec, RunOptions)
    def take(given: frozenset[str], **options: Any) -> None:
        """Options of the search that a job runs."""
        found.append((given, options))

    app = typer.Typer(add_completion=False, rich_markup_mode="rich")
    app.command(cls=Command)(take)
    app(list(arguments), prog_name="searchspace submit ... --", standalone_mode=False)
    return found[0] if found else None


def _check_elsewhere(spec: SearchSpec, given: Set[str]) -> None:
    """Raise `UserError` for what only this machine has, and for a secret that would be on a command line."""
    if "address" in given:
        raise UserError(f"--address {spec.address!r}: the search runs on its job's own cluster; write it before --")
    sources = [("data", spec.data)] if spec.data not in NAMED_SETS else []
    sources += [("root", spec.root)] if spec.root else []
    for field, text in (*sources, ("results", spec.results), *(("warm_start", each) for each in spec.warm_start)):
        if "://" not in text and not Path(text).is_absolute():
            known = f" ({', '.join(NAMED_SETS)} are known everywhere)" if field == "data" else ""
            raise UserError(f"{flag_of(SearchSpec, field)} {text!r}: is of this machine; {REACHABLE_ADVICE}{known}")
    if redact_urls(spec.storage) != spec.storage and not is_redacted(spec.storage):
        raise UserError(
            f"--storage {redact_urls(spec.storage)!r}: the cluster's dashboard would show its password; write *** for "
            "it, and let the nodes have SEARCHSPACE_STORAGE, or give it with --env"
        )


def _write(given: Set[str], options: Mapping[str, Any]) -> list[str]:
    """The command line that means `options`, as far as they were `given`."""
    return [
        word
        for record in (SearchSpec, RunOptions)
        for word in to_arguments(record, {name: options[name] for name in record.model_fields if name in given})
    ]
