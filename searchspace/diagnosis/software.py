"""Versions: of Python, of this package, and of what it needs; and whether Ray starts."""

import logging
import platform
import sys
import time
from collections.abc import Collection, Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from searchspace.cli.commands import PACKAGE
from searchspace.diagnosis.finding import Finding, State
from searchspace.preparation.record import PACKAGES, git_commit
from trainables.custom.entry_points import list_entry_points
from trainables.metrics.metric_registry import METRICS
from trainables.models.model_registry import MODELS

SECTION, RAY = "Software", "Ray"
FIRST_PYTHON = (3, 11)
"""The oldest Python that the code is written for."""


def find_software() -> Iterator[Finding]:
    """Python, the platform, and the packages that a search uses, with those that are missing or of other versions."""
    is_old = sys.version_info[:2] < FIRST_PYTHON
    yield Finding(
        SECTION, "Python", f"{platform.python_version()} at {sys.executable}", State.BROKEN if is_old else State.FINE,
        f"install Python {'.'.join(map(str, FIRST_PYTHON))} or later" if is_old else "",
    )  # fmt: skip
    yield Finding(SECTION, "platform", platform.platform())
    needed = _requirements()
    for name in PACKAGES:
        yield judge_package(name, needed.pop(name, None))
    for name, requirement in needed.items():
        if (found := judge_package(name, requirement)).state != State.FINE:
            yield found
    yield from judge_entry_points({*MODELS, *METRICS})


def judge_package(name: str, requirement: Requirement | None) -> Finding:
    """The version of a package, which `requirement` may limit."""
    wanted = str(requirement.specifier) if requirement else ""
    try:
        there = version(name)
    except PackageNotFoundError:
        if name == PACKAGE:
            return Finding(SECTION, name, "not installed; it runs from its checkout", State.FINE)
        return Finding(SECTION, name, "not installed", State.BROKEN, f"pip install '{name}{wanted}'")
    if requirement and not requirement.specifier.contains(there, prereleases=True):
        return Finding(SECTION, name, f"{there}; needs {wanted}", State.BROKEN, f"pip install '{name}{wanted}'")
    commit = git_commit() if name == PACKAGE else ""
    return Finding(SECTION, name, f"{there}, commit {commit[:12]}" if commit else there)


def judge_entry_points(built_in: Collection[str]) -> Iterator[Finding]:
    """The parts that installed packages offer, each unless its name is built in; no package is imported."""
    for kind, name, package in list_entry_points():
        value = f"{name}, of the package {package}"
        if name in built_in:
            remedy = f"name it by its module, such as {package}.module:{name}"
            yield Finding(SECTION, kind, f"{value}: refused, the name is built in", State.WARNING, remedy)
        else:
            yield Finding(SECTION, kind, value)


def _requirements() -> dict[str, Requirement]:
    """What the installed package needs here, extras aside, by name."""
    try:
        found = [Requirement(text) for text in requires(PACKAGE) or ()]
    except PackageNotFoundError:
        return {}
    return {each.name: each for each in found if each.marker is None or each.marker.evaluate({"extra": ""})}


def skip_ray() -> Iterator[Finding]:
    """The finding where Ray is not started."""
    yield Finding(RAY, "start", "not tried; --ray starts one")


def start_ray() -> Iterator[Finding]:
    """Start a Ray of one's own, look at its node, and end it again."""
    from searchspace.cluster.connect import connected

    logging.getLogger("ray").setLevel(logging.ERROR)
    began = time.monotonic()
    with connected("") as room:
        took = time.monotonic() - began
        cores, gpus = sum(node.cpus for node in room.nodes), sum(node.gpus for node in room.nodes)
    said = f"started in {took:.1f} s; it gives out {cores:g} cores and {gpus:g} GPUs"
    if cores:
        yield Finding(RAY, "start", said)
    else:
        yield Finding(RAY, "start", said, State.BROKEN, "let this process run on a core at least")
