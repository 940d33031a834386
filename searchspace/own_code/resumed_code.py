"""The user's own code of a search that is resumed or exported: what the search kept, if it may be run here."""

import logging
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from searchspace.cli.options import flag_of
from searchspace.own_code.collected_code import references_in, with_names
from searchspace.own_code.kept_code import read_code
from searchspace.sampling.space_file import hash_file
from searchspace.spec import SearchSpec, load_facts
from searchspace.storage.search_folder import SEARCH_RECORD
from trainables.common.errors import UserError
from trainables.custom.collect import describe_reference
from trainables.custom.custom_code import CustomCode, CustomKind, CustomPart
from trainables.custom.custom_space import SPACES
from trainables.custom.part_kinds import PART_KINDS
from trainables.custom.register import register
from trainables.custom.source_files import read_sources
from trainables.custom.source_modules import was_used_here
from trainables.storage.folder_sync import FolderSync
from trainables.storage.ownership import check_owned
from trainables.storage.search_storage import SearchStorage

logger = logging.getLogger(__name__)


def with_kept_code(spec: SearchSpec, code: CustomCode, options: Collection[str], at_url: bool) -> SearchSpec:
    """`spec` of a search that is resumed, once the code that it kept is registered; names in place of references.

    The references in those `options` were given again: their code has to be what the search kept. The code of a search
    at a URL, where others may have written it, is run only if it was given again, lies in the working folder itself, or
    was run on this machine before. Raises `UserError` otherwise, before any of it is run.
    """
    if not code:
        return spec
    found = [(kind, text) for option, kind, text in references_in(spec) if option in options]
    given = {text: _same_part(code, kind, text, spec.name) for kind, text in found}
    if at_url:
        check_known(code, spec.name, {part.name: _source_of(part.kind, text) for text, part in given.items()})
    register(code)
    if not at_url:
        _warn_of_changes(code)
    names = {text: part.reference if part.kind == "space" else part.name for text, part in given.items()}
    return with_names(spec, names, code)


def register_kept_code(sync: FolderSync, place: str) -> None:
    """Register the code that the search in `sync` kept, whose winner may need it; `place` is how the search was named.

    Raises `UserError` where others may have written that code.
    """
    code = read_code(sync.folder, load_facts(sync.folder))
    if code and sync.storage.url:
        check_known(code, place)
    elif code:
        try:
            check_owned(sync.folder)
        except UserError as error:
            raise UserError(
                f"{place!r}: its networks are code that it kept, and it is not yours alone: {error}"
            ) from error
    register(code)


def register_code_of(folder: Path) -> None:
    """Register the code that the search in a local `folder` kept; raises `UserError` where it is not yours alone."""
    register_kept_code(FolderSync(SearchStorage(folder=str(folder.resolve()))), str(folder))


def check_known(code: CustomCode, name: str, given: Mapping[str, Mapping[str, str]] | None = None) -> None:
    """Raise `UserError` for parts at a URL whose code this machine does not know, to the last file of their trees.

    `given` is the source, by part, of those that were named again; it is what the search kept.
    """
    known: dict[str, set[str]] = {}
    for part in code.parts:
        found = (given or {}).get(part.name) or _source_here(code, part)
        known.setdefault(part.tree, set()).update(found)
    for part in code.parts:
        if known[part.tree] >= code.sources(part).keys() or was_used_here(code.sources(part)):
            continue
        option, file = PART_KINDS[part.kind].option, f"{Path(part.file).name}:{part.attribute}"
        raise UserError(
            f"{name!r}: its record at a URL has code to run, {part.reference!r}; without being named here, "
            f"only code is run that this machine ran before, or that lies in the working folder: give {option} "
            f"{shlex.quote(file)}, with the path that the file has here"
        )


def _source_of(kind: CustomKind, text: str) -> dict[str, str]:
    """The source that a reference names here."""
    return read_sources(PART_KINDS[kind].option, describe_reference(kind, text))


def _same_part(code: CustomCode, kind: CustomKind, text: str, name: str) -> CustomPart:
    """The kept part whose source is what a reference names here; raises `UserError` where none is. Runs nothing."""
    reference, sources = describe_reference(kind, text), _source_of(kind, text)
    for part in code.of_kind(kind):
        if part.attribute == reference.attribute and _is_same(code, part, reference.path, sources):
            return part
    raise UserError(
        f"{PART_KINDS[kind].option} {text!r}: is not the code that search {name!r} was begun with; leave it out to go "
        "on with what it kept, or begin a new search, with --warm-start"
    )


def _is_same(code: CustomCode, part: CustomPart, path: str, sources: Mapping[str, str]) -> bool:
    """Whether a part is in the file `path`, and its tree has the `sources`; other parts may have brought more."""
    kept = code.sources(part)
    return part.file == f"{part.tree}/{path}" and all(kept.get(each) == text for each, text in sources.items())


def _source_here(code: CustomCode, part: CustomPart) -> dict[str, str]:
    """The source of a part that the working folder itself has, no link, if it is what was kept; else nothing."""
    file = Path.cwd() / part.file.removeprefix(f"{part.tree}/")
    if not file.is_file() or file.is_symlink():
        return {}
    text = f"{file}:{part.attribute}"
    sources = _source_of(part.kind, text)
    return sources if _is_same(code, part, describe_reference(part.kind, text).path, sources) else {}


def _warn_of_changes(code: CustomCode) -> None:
    """Log a warning where a part's own file is not what it was when the search began."""
    for part in code.parts:
        try:
            reference = describe_reference(part.kind, part.reference)
            changed = not _is_same(code, part, reference.path, _source_of(part.kind, part.reference))
        except UserError:
            continue  # it is elsewhere, or on another machine
        if changed:
            logger.warning(
                f"{part.reference!r} was changed since the search was begun, which goes on with the code that it kept; "
                "a new search, with --warm-start, takes what it is now"
            )


def check_same_parts(option: str, known: str | tuple[str, ...], found: str | tuple[str, ...], name: str) -> None:
    """Raise `UserError` for an option that names what the search was not begun with."""
    begun = {known} if isinstance(known, str) else {*known}
    for each in (found,) if isinstance(found, str) else found:
        if each not in begun:
            raise UserError(f"{flag_of(SearchSpec, option)} {each!r}: is not what search {name!r} was begun with")


def check_same_space(spec: SearchSpec, facts: Mapping[str, Any]) -> None:
    """Raise `UserError` if the file of `--space` is not what the search was begun with."""
    known = facts.get("space_sha256", "")
    if not known or hash_file(spec.space) != known:
        raise UserError(
            f"--space {spec.space!r}: is not the file that search {spec.name!r} was begun with (SHA-256 {known[:12]})"
        )


def warn_of_changed_space(spec: SearchSpec) -> None:
    """Log a warning where the file of the space was changed since the search was begun."""
    known = load_facts(spec.folder).get("space_sha256", "") if (spec.folder / SEARCH_RECORD).is_file() else ""
    if known and spec.space not in SPACES and hash_file(spec.space) != known:
        logger.warning(
            f"{spec.space!r} was changed since the search was begun; new trials are drawn from what it is now"
        )
