"""`cluster/requirements.lock`, from which the container installs: all that is needed, by digest, and nothing else.

And `constraints.txt`, with which `make` installs: the versions that were tested, for any machine.
"""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.helpers.advisories import FIRST_FIXED
from tests.helpers.repository import ROOT

LOCK = ROOT / "cluster" / "requirements.lock"
PIN = re.compile(r"(?P<name>[a-z0-9._-]+)==(?P<version>[0-9][a-z0-9.]*)(?: ; (?P<marker>[^\\]*))?")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
CONTAINER = default_environment() | {
    "python_version": "3.11", "python_full_version": "3.11.16", "sys_platform": "linux", "platform_machine": "x86_64",
    "platform_system": "Linux", "os_name": "posix", "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
}  # fmt: skip


def parse(text: str) -> dict[str, Version]:
    """Version of each package, by its name; raises `ValueError` for a line that is no pin with digests."""
    found = {}
    for entry in re.sub(r"\\\n", " ", text).splitlines():
        if not entry.strip() or entry.startswith("#"):
            continue
        pinned, *hashes = re.split(r"\s+(?=--hash)", entry.strip())
        match = PIN.fullmatch(pinned.strip())
        if not match or not hashes or not all(HASH.fullmatch(one.strip()) for one in hashes):
            raise ValueError(f"not a pin with digests: {entry[:80]}")
        if match["name"] in found:
            raise ValueError(f"twice: {match['name']}")
        found[match["name"]] = Version(match["version"])
    return found


@pytest.fixture(scope="module")
def locked() -> dict[str, Version]:
    return parse(LOCK.read_text())


@pytest.mark.parametrize(
    "line",
    [
        "torch", "torch>=2", "torch==2.14.1", "torch==2.14.1 --hash=md5:" + "0" * 32, "--index-url https://example.com/",
        "--extra-index-url https://example.com/", "--find-links /srv", "torch @ https://example.com/torch.whl",
        "-e .", "-r other.txt", "--trusted-host example.com", "torch==2.* --hash=sha256:" + "0" * 64,
    ],
)  # fmt: skip
def test_what_is_no_pin_with_digests_is_found(line):
    with pytest.raises(ValueError, match="not a pin"):
        parse(line)


def needed() -> list[Requirement]:
    """What the project states for the container, and what it takes to install it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    stated = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["cluster"]]
    return [Requirement(text) for text in (*stated, *project["build-system"]["requires"])]


def test_all_that_the_project_states_is_locked_within_its_bounds(locked):
    wrong = [
        str(requirement)
        for requirement in needed()
        if (found := locked.get(canonicalize_name(requirement.name))) is None or found not in requirement.specifier
    ]
    assert wrong == [], "`make lock` after a change of pyproject.toml"


def test_so_is_all_that_those_need(locked):
    """As far as packages are installed here to say so; CUDA's libraries may not be."""
    wanted = [(requirement, "pyproject.toml") for requirement in needed()]
    seen: set[tuple[str, tuple[str, ...]]] = set()
    wrong = []
    while wanted:
        requirement, by = wanted.pop()
        name, extras = canonicalize_name(requirement.name), tuple(sorted(requirement.extras))
        if (found := locked.get(name)) is None or found not in requirement.specifier:
            wrong.append(f"{requirement} of {by}")
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            stated = [Requirement(text) for text in requires(name) or ()]
        except PackageNotFoundError:
            continue
        wanted += [
            (one, name)
            for one in stated
            if one.marker is None or any(one.marker.evaluate(CONTAINER | {"extra": extra}) for extra in ("", *extras))
        ]
    assert len(seen) > 100
    assert wrong == []


def test_no_locked_version_has_a_known_advisory(locked):
    assert {name for name, fixed in FIRST_FIXED.items() if locked[name] < Version(fixed)} == set()


def test_nothing_in_it_is_of_the_machine_that_made_it():
    text = LOCK.read_text()
    assert not re.search(r"https?://|file:|/opt|/work|@|\+cpu|index", text.replace("importlib", ""))
    assert "make lock" in text.splitlines()[1]


def test_the_container_installs_the_lock_file_and_nothing_else():
    text = (ROOT / "cluster" / "Dockerfile").read_text().replace("\\\n", " ")
    (base,) = re.findall(r"^ARG BASE=python:(\d+\.\d+)-.*@sha256:[0-9a-f]{64}$", text, re.MULTILINE)
    assert f"--python-version {base} " in (ROOT / "Makefile").read_text()
    installs = [line for line in text.splitlines() if not line.startswith("#") and re.search(r"\bpip3? ", line)]
    assert len(installs) == 2
    packages, project = installs
    assert {"--require-hashes", "--only-binary", "cluster/requirements.lock"} <= set(packages.split())
    assert {"--no-index", "--no-deps", "--no-build-isolation"} <= set(project.split())
    assert not re.search(r"\b(curl|wget|git clone|ADD) .*http", text)


def constraints() -> dict[str, Version]:
    """Version of each package in `constraints.txt`, by its name; raises `ValueError` for a line that is no pin."""
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.lstrip().startswith("#")]
    matches = [PIN.fullmatch(line.strip()) for line in lines]
    if not all(matches):
        raise ValueError(f"not a pin: {lines[matches.index(None)]}")
    return {match["name"]: Version(match["version"]) for match in matches if match}


def stated_by_groups() -> list[Requirement]:
    """All requirements that the project states: its own, and those of each optional group."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    return [found for group in groups for text in group if (found := Requirement(text)).name != project["name"]]


def test_make_installs_versions_that_the_project_allows():
    pinned = constraints()
    wrong = [
        str(stated)
        for stated in stated_by_groups()
        if (found := pinned.get(canonicalize_name(stated.name))) is None or found not in stated.specifier
    ]
    assert wrong == [], "`make lock` after a change of pyproject.toml"
    installs = re.findall(r"^\t.*pip install.*$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert "--constraint constraints.txt" in (ROOT / "Makefile").read_text()
    assert [line for line in installs if "--upgrade" not in line and "uv" not in line] == []


def test_the_container_and_make_install_the_same_versions(locked):
    pinned = constraints()
    assert {name: (version, pinned[name]) for name, version in locked.items() if pinned[name] != version} == {}


def test_each_package_that_a_user_gets_has_a_floor():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    stated = [*project["dependencies"], *project["optional-dependencies"]["cluster"]]
    assert [text for text in stated if ">=" not in text] == [], "`make lowest` tests the oldest versions"
