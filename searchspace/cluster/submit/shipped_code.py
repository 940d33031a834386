"""The user's own code that a job needs: what goes along of it, and how it is named there."""

from dataclasses import dataclass, field
from pathlib import Path

from searchspace.own_code.code_options import CODE_OPTIONS
from searchspace.own_code.collected_code import references_in
from searchspace.spec import SearchSpec
from trainables.custom.collect import describe_reference
from trainables.custom.part_kinds import PART_KINDS
from trainables.custom.source_files import read_sources


@dataclass(frozen=True)
class ShippedCode:
    """Code that goes along with a job."""

    files: tuple[str, ...] = ()
    """Files and folders of packages here; there they lie in the working folder."""
    options: dict[str, str] = field(default_factory=dict)
    """The options that name it, as they are written there."""


def ship_code(spec: SearchSpec) -> ShippedCode:
    """What goes along of the code that `spec` names, with the neighbours that it imports; none of it is run here.

    Raises `UserError` for what is not there.
    """
    names: dict[str, str] = {}
    files: dict[str, None] = {}
    for _, kind, text in references_in(spec):
        reference = describe_reference(kind, text)
        names[text] = f"{reference.path}:{reference.attribute}"
        for path in read_sources(PART_KINDS[kind].option, reference):
            files[str(reference.root / Path(path).parts[0])] = None
    options = {option: _rewritten(getattr(spec, option), names) for option in CODE_OPTIONS}
    return ShippedCode(tuple(files), {option: text for option, text in options.items() if text})


def _rewritten(given: str | tuple[str, ...], names: dict[str, str]) -> str:
    """A value with `names` in place of references, as the command line has it; empty where it has none."""
    values = (given,) if isinstance(given, str) else given
    return ",".join(names.get(each, each) for each in values) if any(each in names for each in values) else ""
