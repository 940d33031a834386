"""Data sources of the user's own: a `DataSource`, or a function of a path that returns images and labels."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from trainables.common.errors import UserError
from trainables.custom.custom_code import CustomCode, CustomPart, digest
from trainables.data.data_options import DataOptions
from trainables.data.decoding.pixels import Image
from trainables.data.in_memory.array_data import ArrayData, LabelledPixels, read_arrays_of
from trainables.data.sources.source import DataSource, Part, RawSet, make_array_part
from trainables.data.sources.source_registry import OWN_SOURCES

MAX_TUPLE, MIN_TUPLE = 3, 2
"""Things that a function may return at most and at least: images, labels, names of classes."""
RETURNS = "return a RawSet, (images, labels), (images, labels, classes), or a dict of train, val, test and classes"


@dataclass(frozen=True)
class OwnDecoder:
    """Decodes the images of one part; a process that decodes gets the code, and opens the source by itself."""

    code: CustomCode
    """The user's code."""
    source: str
    """Name of the source."""
    path: Path
    """What it opens."""
    options: DataOptions
    """How."""
    part: str
    """Which of its parts."""
    live: list[Callable[[int], Image]] = field(default_factory=list, compare=False, repr=False)
    """The decoder of this process."""

    def __call__(self, index: int) -> Image:
        """Image `index`, uint8 (height, width, channels)."""
        if not self.live:
            self.live.append(_open_again(self.code.model_dump_json(), self.source, self.path, self.options)[self.part])
        return self.live[0](index)

    def __getstate__(self) -> dict[str, Any]:
        """All but what other processes cannot have."""
        return self.__dict__ | {"live": []}


def describe_source(found: Any) -> dict[str, Any]:
    """What a record keeps of a data source; raises `UserError` for what is none."""
    if isinstance(found, DataSource):
        return {"summary": found.summary}
    if not callable(found):
        raise UserError(f"is a {type(found).__name__}; a data source is a DataSource, or a function of a path")
    if not _takes(found, 1) and not _takes(found, 2):
        raise UserError(
            f"the function takes {inspect.signature(found)}; a data source takes (path), or (path, options)"
        )
    lines = (inspect.getdoc(found) or "").splitlines()
    return {"summary": lines[0] if lines else "data of the user's own"}


def add_source(part: CustomPart, found: Any, code_digest: str) -> None:
    """Let a data source be found by its name; without its code, it opens nothing."""

    def open_own(path: Path, options: DataOptions) -> RawSet:
        if found is None:
            raise UserError(f"--data-source {part.name!r}: its code is not loaded here, so that no data can be read")
        raw = _as_raw_set(part, path, _call(part, found, path, options))
        return _with_own_decoders(part, path, options, replace(raw, identity=f"{raw.identity} {code_digest}"))

    entry = found if isinstance(found, DataSource) else DataSource(str(part.description.get("summary", "")), open_own)
    OWN_SOURCES[part.name] = replace(entry, open=open_own, recognizes=None)


def remove_source(part: CustomPart) -> None:
    """Let a data source be found no longer."""
    OWN_SOURCES.pop(part.name, None)


def _takes(found: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(found).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:  # some callables have no signature
        return count == 1
    return True


def _call(part: CustomPart, found: Any, path: Path, options: DataOptions) -> Any:
    function: Any = found.open if isinstance(found, DataSource) else found
    try:
        return function(path, options) if _takes(function, 2) else function(path)
    except UserError:
        raise
    except Exception as error:  # the user's function may raise anything
        said = " ".join(str(error).split())
        raise UserError(f"--data-source {part.reference!r}: {type(error).__name__}: {said}") from error


def _as_raw_set(part: CustomPart, path: Path, given: Any) -> RawSet:
    """An opened data set from what a function returned; raises `UserError` for anything else."""
    if isinstance(given, RawSet):
        return given
    place = f"--data-source {part.reference!r}"
    if isinstance(given, tuple) and MIN_TUPLE <= len(given) <= MAX_TUPLE:
        data = ArrayData(train=given[:2], classes=given[2] if len(given) == MAX_TUPLE else ())
    elif isinstance(given, ArrayData):
        data = given
    elif isinstance(given, Mapping) and "train" in given and set(given) <= {"train", "val", "test", "classes"}:
        data = ArrayData(**dict(given))
    else:
        raise UserError(f"{place}: returned {type(given).__name__}; {RETURNS}")
    try:
        return _from_arrays(path, read_arrays_of(data), [str(name) for name in data.classes])
    except UserError as error:
        raise UserError(f"{place}: {error}") from error


def _from_arrays(path: Path, arrays: dict[str, LabelledPixels], classes: list[str]) -> RawSet:
    every = np.concatenate([split.labels for split in arrays.values()])
    named = not np.issubdtype(every.dtype, np.integer)
    names = classes or [str(name) for name in (np.unique(every) if named else range(int(every.max()) + 1))]
    numbers = {name: number for number, name in enumerate(names)}
    parts = {}
    for name, split in arrays.items():
        labels = [numbers[str(label)] for label in split.labels] if named else split.labels
        parts[name] = make_array_part(split.images, np.asarray(labels, np.int64))
    shapes = {split.images.shape[1:] for split in arrays.values()}
    if len(shapes) > 1:
        raise UserError(f"its splits have images of different shapes, {sorted(shapes)}; give all of one")
    height, width, channels = shapes.pop()
    content = [[name, digest_of_array(split.images), split.labels.tolist()] for name, split in arrays.items()]
    return RawSet(path.stem or "data", tuple(names), parts, channels, height, width, identity=digest([content, names]))


def digest_of_array(images: np.ndarray[Any, Any]) -> str:
    """Digest of pixels."""
    import hashlib

    return hashlib.blake2b(np.ascontiguousarray(images).data, digest_size=16).hexdigest()


def _with_own_decoders(part: CustomPart, path: Path, options: DataOptions, raw: RawSet) -> RawSet:
    """The set with decoders that other processes can have, where decoding is work."""
    if not raw.encoded:
        return raw
    from trainables.custom.register import registered_code

    code = registered_code()
    sources = {f"{part.tree}/{name}": text for name, text in code.sources(part).items()}
    own = CustomCode(parts=(part,), files=sources)

    def decoder(name: str, each: Part) -> OwnDecoder:
        return OwnDecoder(own, part.name, path, options, name, [each.decode])

    return replace(raw, parts={name: replace(each, decode=decoder(name, each)) for name, each in raw.parts.items()})


@lru_cache(maxsize=1)
def _open_again(code: str, source: str, path: Path, options: DataOptions) -> dict[str, Callable[[int], Image]]:
    """Decoders of a source, opened in a process that has nothing else of the search."""
    from trainables.custom.register import register

    register(CustomCode.model_validate_json(code))
    raw = OWN_SOURCES[source].open(path, options)
    return {name: _live(each.decode) for name, each in raw.parts.items()}


def _live(decode: Callable[[int], Image]) -> Callable[[int], Image]:
    return decode.live[0] if isinstance(decode, OwnDecoder) else decode
