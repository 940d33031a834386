"""Servers that tests here talk to."""

from tests.helpers.servers.postgres import postgres  # noqa: F401  # fixtures
from tests.helpers.servers.s3_server import bucket, s3_server  # noqa: F401  # fixtures
