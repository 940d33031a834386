"""Servers that tests here talk to."""

from tests.helpers.servers.s3_server import bucket, s3_server, store  # noqa: F401  # fixtures
