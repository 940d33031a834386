"""The structure and the words of the packages, and of the tests' own folders."""

import re
from collections.abc import Sized

import pytest

from tests.helpers.repository import ROOT
from tests.helpers.structure import (
    Module,
    folder_sizes,
    import_cycles,
    read_modules,
    repeated_classes,
    repeated_stems,
    small_files,
)

MODULES = read_modules(ROOT)
FOLDER = 15
"""Modules that a folder has at most, some two more where they are one concept each."""
REGISTRIES = {
    "trainables/models": "an entry for each model",
    "trainables/data/sources": "an entry for each named data set",
    "trainables/export/formats": "an entry for each format",
    "searchspace/stopping": "an entry for each stopping rule",
    "searchspace/cluster/clouds": "an entry for each cloud",
}
"""Folders whose files may be small, because each is an entry of a registry."""
SMALL_MODULES = {
    "trainables/trial.py": "all that Tune has of a trial",
    "trainables/common/licence.py": "a record that data, models and export share, which import no other's records",
    "trainables/common/reporter.py": "a protocol that data, export and the command line share",
    "searchspace/reporting/markdown.py": "shared by boards and the model card",
    "searchspace/own_code/code_options.py": "what the specification and its reader share, which import no other",
    "trainables/custom/custom_space.py": "an entry of the kinds of parts",
    "searchspace/sampling/space_file.py": "what a space's reference means to the sampling of configurations",
    "searchspace/budget/allowance.py": "all that a phase knows of the budget",
    "searchspace/budget/dry_run_plan.py": "joins budgets and dry runs, which know nothing of each other",
    "searchspace/cli/run_options.py": "options that no search records, beside `SearchSpec`",
    "trainables/data/store/trained_images.py": "what is asked of a store without opening it to train",
    "searchspace/progress/make_listeners.py": "wires forecast and progress, which know nothing of each other",
}
"""Other files that may be small, and why each stands alone."""
BANNED_MODULES = {
    "mailbox",
    "desk",
    "bell",
    "post",
    "home",
    "mirror",
    "visit",
    "workplace",
    "shape",
    "group",
    "lean",
    "average",
    "refresh",
    "sheet",
    "alone",
    "meter",
    "prove",
    "ship",
    "fit",
    "slim",
    "goods",
    "exam",
    "proof",
    "verdict",
    "wording",
    "asking",
    "afresh",
    "begin",
    "conduct",
    "phases",
    "gate",
    "doubtful",
    "shelf",
    "running",
    "errand",
    "order",
    "imagine",
    "foresight",
    "material",
    "weigh",
    "teller",
    "clock",
    "account",
    "chatter",
    "nearest",
    "printable",
}
"""Names of modules that an earlier version had: each is too wide, or a metaphor."""
BANNED_WORDS = {
    "mailbox": "trial broker", "desk": "slot state", "enlist": "register", "excuse": "mark_preempted",
    "workplace": "worker context", "goods": "export context", "afresh": "again, from the start",
    "doubtful": "data issues", "errand": "run options", "foresight": "live forecast", "teller": "reporter",
    "chatter": "output redirect", "verdict": "select_winner, or decision", "whoever": "a subject",
    "whatever": "a subject", "anybody": "a subject", "nobody": "a subject", "insist": "retry",
    "weigh": "cost weighting", "shelf": "checkpoint store",
}  # fmt: skip
"""Words of no identifier, comment, docstring or message, and what stands instead."""
BANNED_PHRASES = {
    "told apart": "significantly different", "held back": "stopped", "taken for": "confused with",
}  # fmt: skip
WORDS_ON_DISK = {
    "held back": {
        "trainables/data/finals_validation.py", "searchspace/finals/validation_images.py",
        "searchspace/preparation/prepare_data.py", "searchspace/sampling/warm_start.py",
    },
}  # fmt: skip
"""Words that the files of searches hold, with the modules that read or write them: `held back` is a value of
`FinalsValidation.source` in studies and records."""
REMAINING: dict[str, int] = {}
"""Number of offenders of each kind that are still there; a number here only falls."""


def find_banned_words() -> dict[str, list[str]]:
    """The banned words and phrases of each module that has any, without those that files of searches hold."""
    found: dict[str, list[str]] = {}
    for module in MODULES:
        path, words, text = module.path.as_posix(), module.words(), module.text()
        used = [word for word in BANNED_WORDS if words[word]] + [phrase for phrase in BANNED_PHRASES if phrase in text]
        if banned := [word for word in used if path not in WORDS_ON_DISK.get(word, ())]:
            found[path] = banned
    return found


def check(kind: str, offenders: Sized) -> None:
    """Fail where there are more offenders than remained."""
    assert len(offenders) <= REMAINING.get(kind, 0), f"{kind}: {offenders}"


def test_no_banned_words():
    assert find_banned_words() == {}, f"say instead: {BANNED_WORDS | BANNED_PHRASES}"


def test_no_module_has_a_banned_name():
    check("module names", [module.path.as_posix() for module in MODULES if module.path.stem in BANNED_MODULES])


def test_a_module_name_stands_for_one_module():
    check("repeated module names", repeated_stems([module for module in MODULES if not module.is_compat]))


def test_a_class_name_stands_for_one_class():
    check("repeated class names", repeated_classes(MODULES))


def test_a_constant_says_what_it_limits_and_in_which_unit():
    # It says what waits and the unit, such as LEASE_TIMEOUT_S.
    check("PATIENCE", [module.path.as_posix() for module in MODULES if "PATIENCE" in module.constants()])


def test_folders_are_small():
    check("large folders", {folder: size for folder, size in folder_sizes(MODULES).items() if size > FOLDER})


def test_a_small_file_is_an_entry_of_a_registry():
    small = small_files([module for module in MODULES if not module.is_compat])
    check(
        "small files",
        [path for path in small if path not in SMALL_MODULES and path.rpartition("/")[0] not in REGISTRIES],
    )


def test_no_import_cycle():
    check("import cycles", import_cycles(MODULES))


def test_unit_tests_lie_as_the_packages_lie():
    folders = {module.path.parent.as_posix() for module in MODULES}
    unit = ROOT / "tests" / "unit"
    found = {path.parent.relative_to(unit).as_posix() for path in unit.rglob("test_*.py")} - {"."}
    assert found - folders == set()


def test_tests_share_by_helpers_alone():
    """Not by importing a conftest, a benchmark or one another."""
    pattern = re.compile(r"^\s*(?:from|import) tests\.(?:benchmarks|[\w.]*conftest|[\w.]*\btest_\w+)", re.MULTILINE)
    files = [path for path in (ROOT / "tests").rglob("*.py") if "benchmarks" not in path.parts[-2:]]
    assert [path.relative_to(ROOT).as_posix() for path in files if pattern.search(path.read_text())] == []


def module(path: str, source: str) -> Module:
    return Module(ROOT.__class__(path), source)


def test_words_are_found_in_names_strings_and_comments():
    found = module("a/b.py", 'class MailboxState:\n    """Nobody waits."""\n    next_desk = 1  # whatever\n').words()
    assert all(found[word] for word in ("mailbox", "nobody", "desk", "whatever"))


@pytest.mark.parametrize("line", ["import a.c", "from a import c", "from a.c import x", "def f():\n    import a.c"])
def test_a_cycle_is_found(line):
    assert import_cycles([module("a/b.py", line), module("a/c.py", "from a.b import y")]) == [["a.b", "a.c"]]
