"""Which of several test processes runs a test: one runs a whole file, and all files that share a costly fixture."""

import re
from functools import cache

from xdist.scheduler import LoadScopeScheduling

from tests.helpers.repository import ROOT

COSTLY_FIXTURES = ("searched", "shipped", "attacked")
"""Fixtures of a session that take many seconds."""


@cache
def scope_of_file(path: str) -> str:
    """What the tests of a file are run with: the name of a costly fixture that it mentions, else the file alone."""
    words = set(re.findall(r"\w+", (ROOT / path).read_text(encoding="utf-8")))
    return next((name for name in COSTLY_FIXTURES if name in words), path)


class WholeFiles(LoadScopeScheduling):
    """Gives whole files to processes, in the order in which they were collected.

    pytest-xdist's own marks of groups are not heeded with pytest 9.2, and said nothing of it.
    """

    def _split_scope(self, nodeid: str) -> str:
        return scope_of_file(nodeid.partition("::")[0])
