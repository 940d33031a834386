"""The search that is damaged."""

from tests.helpers.attacks.damaged_search import place, whole  # noqa: F401  # fixtures
