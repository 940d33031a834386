"""Groups of images by a regular expression on their paths, such as the number of a person or a patient."""

import dataclasses
import json
import re
import shlex
import subprocess
import sys

import numpy as np

from trainables.common.errors import UserError
from trainables.common.escaping import printable
from trainables.data.data_options import DataOptions
from trainables.data.sources.source import RawSet

MATCH_TIMEOUT_S, MATCH_TIMEOUT_PER_IMAGE_S = 20.0, 1e-3
"""Seconds after which an expression is given up: it may take a time that grows exponentially with a path's length."""
CHANGE = "change it so that it finds one in each path"
"""What to do about an expression."""
MATCH = """
import json, re, sys
pattern, paths = json.load(sys.stdin)
found = (re.search(pattern, path) for path in paths)
json.dump([(m[1] if m.re.groups and m[1] is not None else m[0]) if m else "" for m in found], sys.stdout)
"""
"""The program that searches: in a process of its own, since an expression cannot be stopped otherwise."""


def group_by_path(raw: RawSet, options: DataOptions) -> RawSet:
    """The set with the groups that `options.group_by` finds in its images' paths; as it is without that option.

    A group is what the expression's first group of parentheses matches, or else the whole match. Raises `UserError` for
    an expression that is invalid or too slow, or that finds nothing in a path; for images without paths; and where the
    source has groups already.
    """
    pattern = options.group_by
    if not pattern:
        return raw
    where = f"--group-by {_quote(pattern)}"
    check_pattern(pattern)
    paths: dict[str, list[str]] = {}
    for name, part in raw.parts.items():
        if part.groups is not None:
            raise UserError(
                f"{where}: {raw.name!r} has groups by its column; give one of --group-by and --group-column"
            )
        if part.path is None:
            raise UserError(f"{where}: images of {raw.name!r} have no paths; leave the option out")
        paths[name] = [part.path(row) for row in range(len(part.labels))]
    found = _search(pattern, [path for listed in paths.values() for path in listed])
    every = [path for listed in paths.values() for path in listed]
    if without := [path for path, text in zip(every, found, strict=True) if not text]:
        remedy = _suggest_pattern(pattern, without) if len(without) < len(every) else CHANGE
        raise UserError(
            f"{where}: finds no group in {len(without):,} of {len(every):,} paths, such as {printable(without[0])!r}; "
            f"{remedy}"
        )
    names, numbers = np.unique(np.array(found, object), return_inverse=True)
    parts, first = {}, 0
    for name, part in raw.parts.items():
        groups = numbers.reshape(-1)[first : first + len(part.labels)].astype(np.int64)
        parts[name] = dataclasses.replace(part, groups=groups)
        first += len(groups)
    return dataclasses.replace(raw, parts=parts, group_names=tuple(names.tolist()))


def check_pattern(pattern: str) -> None:
    """Raise `UserError` for an invalid regular expression."""
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise UserError(f"--group-by {_quote(pattern)}: is no regular expression of Python: {error}") from error


def _quote(pattern: str) -> str:
    """The expression as a shell takes it."""
    return shlex.quote(pattern) if pattern.isprintable() else repr(pattern)


def _search(pattern: str, paths: list[str]) -> list[str]:
    """The group that the expression finds in each path, empty for none; raises `UserError` where it takes too long."""
    limit = MATCH_TIMEOUT_S + MATCH_TIMEOUT_PER_IMAGE_S * len(paths)
    try:
        done = subprocess.run(  # noqa: S603  # this interpreter, with a program that is fixed
            [sys.executable, "-I", "-c", MATCH], input=json.dumps([pattern, paths]), capture_output=True, text=True,
            timeout=limit, check=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise UserError(
            f"--group-by {_quote(pattern)}: not done with {len(paths):,} paths after {limit:,.0f} s; an expression "
            "with repetitions within repetitions, such as (a+)+, can take forever: write it without them"
        ) from error
    except subprocess.CalledProcessError as error:
        raise UserError(
            f"--group-by {_quote(pattern)}: failed: {error.stderr.strip().rpartition(chr(10))[2]}"
        ) from error
    found: list[str] = json.loads(done.stdout)
    return found


def _suggest_pattern(pattern: str, paths: list[str]) -> str:
    """What to do about paths without a group: an expression that makes them groups of their own, where there is one."""
    within = f"(?:{pattern})" if re.compile(pattern).groups else f"({pattern})"
    wider = f".*?{within}|.*"
    try:
        if all(_search(wider, paths)):
            return f"change it, or give {_quote(wider)}, which makes each of these images a group of its own"
    except UserError:
        pass
    return CHANGE
