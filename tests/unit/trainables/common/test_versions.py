"""What is not installed has no version, and hinders nobody."""

from importlib.metadata import version

from trainables.common.environment import versions_of


def test_what_is_not_installed_is_left_out():
    assert versions_of(["numpy", "a-package-that-nobody-has"]) == {"numpy": version("numpy")}
