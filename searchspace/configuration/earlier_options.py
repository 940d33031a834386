"""Options of an earlier search for a new one: `--like results/x`.

A record decides nothing that `--resume` would not let it decide: a folder that others can write to is refused, and of
a record at a URL neither code, nor Ray clusters, nor databases are believed.
"""

import os
from collections.abc import Set
from pathlib import Path
from typing import Any

from searchspace.cli.options import flag_of, option_of
from searchspace.own_code.code_options import CODE_OPTIONS
from searchspace.own_code.kept_code import read_descriptions
from searchspace.preparation.record_at_url import replaced_options
from searchspace.preparation.resume import check_recorded, check_was_begun, locate_search, open_begun_search
from searchspace.spec import SearchSpec, load_facts, load_spec
from searchspace.storage.search_folder import CODE
from trainables.common.errors import DamagedError, UserError
from trainables.custom.custom_code import CustomPart
from trainables.storage.object_store.remote import check_location, is_url

FLAG = "--like"
ITS_OWN = {"name", "address", "results"}
"""Options that belong to one search, to where it lies, or to the cluster on which it ran."""


def read_earlier_options(place: str, results: str, given: Set[str]) -> dict[str, Any]:
    """The options of the search at `place`, by the names of their fields; those `given` anew are left out.

    So are its name and study, the cluster on which it ran, the password of its database, and defaults, which may be
    others with those that are given. A bare name is looked for in `results`. Raises `UserError` where there is no
    such search, and for what its record may not decide.
    """
    base, folder = _find_earlier(place, results)
    known = load_spec(folder)
    name = known.name
    for option in {"data", "root"} - given:
        check_recorded(FLAG, name, option, getattr(known, option))
    if "warm_start" not in given:
        for earlier in known.warm_start:
            check_recorded(FLAG, name, "warm_start", earlier)
    found = {option: getattr(known, option) for option in carried_options(known)} | _place_beside(base)
    found |= _code_options(folder, known, is_url(base), given)
    if known.budget is not None and known.budget.price_per_hour:
        found["price_per_hour"] = known.budget.price_per_hour
    if is_url(base):
        found |= replaced_options(known, str(load_facts(folder).get("space_sha256") or ""), given | ITS_OWN, FLAG)
    return {option: value for option, value in found.items() if option not in given}


def _code_options(folder: Path, known: SearchSpec, at_url: bool, given: Set[str]) -> dict[str, Any]:
    """The options that name code of the user's own, with references in place of names.

    A reference leads to the file that it led to, or, where that is gone, to the text that the search kept. Raises
    `UserError` for code at a URL, where others may have written it, unless it is named again; `replaced_options` finds
    such a space.
    """
    parts = read_descriptions(folder, load_facts(folder)).parts
    references = {name: _locate(folder, part) for part in parts for name in (part.name, part.reference)}
    found: dict[str, Any] = {}
    for option in CODE_OPTIONS.keys() - given - ({"space"} if at_url else set()):
        value = getattr(known, option)
        names = (value,) if isinstance(value, str) else value
        own = [name for name in names if name in references]
        if own and at_url:
            flag = flag_of(SearchSpec, option)
            raise UserError(f"{FLAG} {known.name!r}: its record at a URL has code to run, {own[0]!r}; give {flag} too")
        if own:
            located = tuple(references.get(name, name) for name in names)
            found[option] = located[0] if isinstance(value, str) else located
    return found


def _locate(folder: Path, part: CustomPart) -> str:
    """Reference to the code of a part: as it was named, or in the search's folder."""
    place, _, attribute = part.reference.rpartition(":")
    is_gone = place.endswith(".py") and not Path(place).is_file()
    return f"{folder / CODE / part.file}:{attribute}" if is_gone else part.reference


def _find_earlier(place: str, results: str) -> tuple[str, Path]:
    """The folder or URL that holds the search, and the search's own folder, or its copy here."""
    try:
        found = check_location(place)
        default = str(SearchSpec.model_fields["results"].default)
        base, name = locate_search(default if "/" in found else results, found)
        folder = open_begun_search(base, name).resolve()
        check_was_begun(name, folder)
        load_facts(folder)
    except DamagedError:
        raise
    except (UserError, ValueError) as error:
        raise UserError(f"{FLAG} {place!r}: {error}") from error
    return base, folder


def carried_options(known: SearchSpec) -> list[str]:
    """Options of a search that a new one takes over: those with another value than their default beside the others."""
    names = [name for name, field in SearchSpec.model_fields.items() if option_of(field) and name not in ITS_OWN]
    return [name for name in names if getattr(known, name) != _default_beside(known, name)]


def _default_beside(known: SearchSpec, name: str) -> Any:
    field = SearchSpec.model_fields[name]
    return field.get_default(call_default_factory=True, validated_data=known.model_dump())


def _place_beside(results: str) -> dict[str, str]:
    """The option that puts the new search beside the earlier one, unless that is where it comes to lie anyway."""
    if is_url(results):
        return {"results": results}
    here = os.path.relpath(results)
    place = str(Path(results).resolve()) if here.startswith("..") else here
    return {} if place == SearchSpec.model_fields["results"].default else {"results": place}
