"""What `import searchspace` gives, and how little it imports for that."""

import ast
import inspect
import subprocess
import sys

import pytest

import searchspace


def test_importing_the_package_imports_none_of_it():
    code = """
import sys
import searchspace
print(sorted(name for name in sys.modules if name.partition(".")[0] in {"searchspace", "pydantic", "trainables"}))
from searchspace import UserError
print([name for name in ("pydantic", "torch", "ray", "optuna") if name in sys.modules])
import searchspace.api.search
print([name for name in ("torch", "ray", "IPython") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["['searchspace']", "[]", "[]"]


@pytest.mark.parametrize("name", searchspace.__all__)
def test_what_is_exported_is_there(name):
    assert getattr(searchspace, name) is not None
    assert name in dir(searchspace)


def test_type_checkers_see_what_is_exported():
    tree = ast.parse(inspect.getsource(searchspace))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imported = {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert imported == set(searchspace.__all__)


def test_another_name_is_no_attribute():
    with pytest.raises(AttributeError, match="'searchspace' has no attribute 'serach'"):
        _ = searchspace.serach
