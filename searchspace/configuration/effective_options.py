"""The options of a search from all that names some: what is typed wins over a file, and that over an earlier search."""

from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from searchspace.configuration.config_file import ConfigFile, read_config
from searchspace.configuration.earlier_options import read_earlier_options
from trainables.common.errors import UserError

SOURCES = ("config", "like")
"""Options that name where others are taken from."""


@dataclass(frozen=True)
class EffectiveOptions:
    """The options of a command, wherever they are from."""

    given: frozenset[str]
    """Names of those that were typed, or are of a file or an earlier search."""
    values: Mapping[str, Any]
    """By the names of their fields, as the command line or a record has them; without what has no default."""
    typed: frozenset[str]
    """Names of those that were typed."""
    file: ConfigFile
    """The file, whose options errors name."""

    @contextmanager
    def explaining_errors(self) -> Iterator[None]:
        """Let an error about an option of the file name that file."""
        with self.file.named_in_errors(self.typed):
            yield


def effective_options(given: Set[str], options: Mapping[str, Any]) -> EffectiveOptions:
    """The options of a command line, with those of its `--config` and `--like`; pins of all three are joined.

    Raises `UserError` for a file or a search that cannot be read, and beside `--resume`, which has all options.
    """
    config, like, resumed = (str(options.get(name) or "") for name in ("config", "like", "resume"))
    if resumed and (source := next((name for name in SOURCES if options.get(name)), "")):
        raise UserError(
            f"--{source} {options[source]!r}: is for a new search, and --resume {resumed!r} has its own options; give "
            "those that are to change"
        )
    file = read_config(config) if config else ConfigFile("", {})
    named = {**file.values} | {name: options[name] for name in given}
    results = str(named.get("results", options.get("results", "results")))
    earlier = read_earlier_options(like, results, named.keys() - {"pins"}) if like else {}
    values = {**options, **earlier, **file.values, **{name: options[name] for name in given}}
    joined = join_pins(*(source.get("pins") for source in (earlier, file.values, options)))
    if joined:
        values["pins"] = joined
    names = frozenset(given | file.values.keys() | earlier.keys()) - {*SOURCES}
    return EffectiveOptions(names, values, frozenset(given), file)


def join_pins(*sources: Any) -> list[str]:
    """Pins as they are typed, `name=value`; where several sources pin a hyperparameter, the last one counts."""
    joined: list[str] = []
    for source in sources:
        pins = [f"{name}={value}" for name, value in source.items()] if isinstance(source, Mapping) else source or []
        named = {pin.partition("=")[0] for pin in pins}
        joined = [pin for pin in joined if pin.partition("=")[0] not in named] + list(pins)
    return joined
