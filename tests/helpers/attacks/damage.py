"""Every way to damage a file of a results folder: its bytes, its kind, and each field of what it holds."""

import json
import os
import random
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEEP = 10_000
"""Levels of nesting that no record has."""
NESTED = "[" * DEEP + "]" * DEEP
WRONG: dict[str, str] = {
    "null": "null", "true": "true", "minus one": "-1", "a fraction": "0.5", "enormous": "1" + "0" * 400,
    "1e308": "1e308", "NaN": "NaN", "minus infinity": "-Infinity", "no text": '""', "a text": '"x"',
    "a path": '"../../../outside"',
    "escapes": json.dumps("\x1b]0;x\x07\u202e\x00"), "half a character": '"\\ud800"', "long": json.dumps("x" * 100_000),
    "no list": "[]", "a list": "[1]", "no object": "{}", "an object": '{"x": 1}', "deep": NESTED,
}  # fmt: skip
"""JSON that stands where other JSON belongs."""
MARK = "\uffffplaceholder\uffff"
FIRST, MOST = 3, 60
"""Items of a list, and fields of an object, that are damaged; more are alike."""


@dataclass(frozen=True)
class Damage:
    """One way to damage one file."""

    file: str
    """Its name in the search's folder."""
    what: str
    """What becomes of it."""
    apply: Callable[[Path], None]
    """Does it to the file at a path."""

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


def damages(folder: Path, outside: Path) -> Iterator[Damage]:
    """All damages of all files below `folder`; links lead to `outside`, a file that no command may read or change."""
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        name, content = file.relative_to(folder).as_posix(), file.read_bytes()
        for what, apply in [*_kinds(outside), *_bytes(content), *_of_format(name, content)]:
            yield Damage(name, what, apply)


def _writing(content: bytes) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        path.write_bytes(content)

    return apply


Change = tuple[str, Callable[[Path], None]]


def _kinds(outside: Path) -> Iterator[Change]:
    """Something else than a regular file of a fit size."""

    def instead(make: Callable[[Path], object]) -> Callable[[Path], None]:
        def apply(path: Path) -> None:
            path.unlink()
            make(path)

        return apply

    def sparse(path: Path) -> None:
        path.touch()
        os.truncate(path, 64 << 30)

    yield "missing", instead(lambda path: None)
    yield "a link", instead(lambda path: path.symlink_to(outside))
    yield "a dangling link", instead(lambda path: path.symlink_to(outside.with_name("nothing")))
    yield "a link to itself", instead(lambda path: path.symlink_to(path))
    yield "a link to endless zeros", instead(lambda path: path.symlink_to("/dev/zero"))
    yield "a named pipe", instead(os.mkfifo)
    yield "a folder", instead(Path.mkdir)
    yield "64 GiB", instead(sparse)
    if os.getuid():
        yield "unreadable", lambda path: path.chmod(0)


def _bytes(content: bytes) -> Iterator[Change]:
    rng = random.Random(0)
    noise = bytearray(content)
    for _ in range(20):
        noise[rng.randrange(len(noise))] = rng.randrange(256) if noise else 0
    for what, damaged in {
        "empty": b"", "its first half": content[: len(content) // 2], "without its last byte": content[:-1],
        "other bytes here and there": bytes(noise), "random": rng.randbytes(1000), "zeros": bytes(len(content)),
        "twice": content * 2, "no UTF-8": b"\xff\xfe" + content, "lines": b"\n" * 1000,
    }.items():  # fmt: skip
        yield what, _writing(damaged)


def _of_format(name: str, content: bytes) -> Iterator[Change]:
    if name.endswith(".json"):
        for what, text in changes_of_json(json.loads(content)):
            yield what, _writing(text.encode("utf-8", "surrogatepass"))
    elif name.endswith(".journal"):
        yield from _of_journal(content.decode().splitlines())
    elif name.endswith(".npz"):
        yield from _of_arrays()


def changes_of_json(value: Any) -> Iterator[tuple[str, str]]:
    """JSON that differs from `value` in one field, with its name."""
    for place in _places(value):
        where = ".".join(map(str, place)) or "all of it"
        for what, text in WRONG.items():
            yield f"{where} is {what}", _with(value, place, text)
        if place and isinstance(_at(value, place[:-1]), dict):
            yield f"{where} is missing", json.dumps(_without(value, place))
        if isinstance(_at(value, place), dict):
            yield f"{where} has one field more", json.dumps(_set(value, (*place, "unheard of"), 1))


def _of_journal(lines: list[str]) -> Iterator[Change]:
    """Each kind of entry is damaged once, and JSON within it, too."""
    seen: set[str] = set()
    for index, line in enumerate(lines):
        entry = json.loads(line)
        kind = f"{entry['op_code']} {next(iter(entry.get('user_attr', {})), '').rstrip('0123456789')}"
        if kind in seen:
            continue
        seen.add(kind)
        for what, text in _changes_of_entry(entry):
            damaged = "\n".join([*lines[:index], text, *lines[index + 1 :]]) + "\n"
            yield f"entry {kind}: {what}", _writing(damaged.encode("utf-8", "surrogatepass"))
    for code in (*range(11), 99):
        yield f"a bare entry {code}", _writing(("\n".join(lines) + f'\n{{"op_code": {code}}}\n').encode())


def _changes_of_entry(entry: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield from changes_of_json(entry)
    for place in _places(entry):
        inner = _at(entry, place)
        if isinstance(inner, str) and inner[:1] in {"{", "["}:  # attributes are JSON in JSON
            for what, text in changes_of_json(json.loads(inner)):
                yield f"within {'.'.join(map(str, place))}, {what}", json.dumps(_set(entry, place, text))


def _of_arrays() -> Iterator[Change]:
    """Arrays of other names, shapes and kinds, and an archive that promises more than there is."""
    import numpy as np

    good = {"probabilities": np.full((4, 2), 0.5, np.float32), "labels": np.zeros(4, np.int64)}
    for what, arrays in {
        "no arrays": {}, "other names": {"x": np.zeros(3)}, "no labels": {"probabilities": good["probabilities"]},
        "other lengths": good | {"labels": np.zeros(3, np.int64)}, "other labels": good | {"labels": np.full(4, 99)},
        "negative labels": good | {"labels": np.full(4, -9)}, "texts": good | {"probabilities": np.array(["x"] * 4)},
        "not numbers": good | {"probabilities": np.full((4, 2), np.nan)}, "one number": good | {"labels": np.array(1)},
        "nobody": {"probabilities": np.zeros((0, 2), np.float32), "labels": np.zeros(0, np.int64)},
        "facts of others": good | {"paths": np.array(["a"]), "brightness": np.zeros(9), "contrast": np.array("x")},
    }.items():  # fmt: skip

        def save(path: Path, arrays: dict[str, Any] = arrays) -> None:
            np.savez(path, **arrays)

        yield what, save

    def promise(path: Path) -> None:
        header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 10), }"
        header += b" " * (-(len(header) + 11) % 64) + b"\n"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in good:
                array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
                archive.writestr(f"{name}.npy", array + bytes(1 << 20))

    yield "more than there is", promise


Place = tuple[str | int, ...]


def _places(value: Any, place: Place = ()) -> Iterator[Place]:
    yield place
    if isinstance(value, dict):
        for key in list(value)[:MOST]:
            yield from _places(value[key], (*place, key))
    elif isinstance(value, list):
        for index in range(min(len(value), FIRST)):
            yield from _places(value[index], (*place, index))


def _at(value: Any, place: Place) -> Any:
    for key in place:
        value = value[key]
    return value


def _set(value: Any, place: Place, new: Any) -> Any:
    if not place:
        return new
    copy = value.copy()
    if len(place) == 1:
        copy[place[0]] = new
    else:
        copy[place[0]] = _set(value[place[0]], place[1:], new)
    return copy


def _without(value: Any, place: Place) -> Any:
    holder = _at(value, place[:-1]).copy()
    del holder[place[-1]]
    return _set(value, place[:-1], holder)


def _with(value: Any, place: Place, text: str) -> str:
    return json.dumps(_set(value, place, MARK)).replace(json.dumps(MARK), text)
