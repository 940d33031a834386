"""A real S3-compatible server (moto's), in this process, on a port of its own."""

import uuid
from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new bucket's name; the environment says where it is and who asks, as it would for Amazon's."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "some secret of theirs")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    s3().create_bucket(Bucket=name)
    return name


def s3():  # type: ignore[no-untyped-def]  # boto3 ships no types
    """Amazon's own client."""
    return boto3.client("s3")


def keys(bucket: str) -> set[str]:
    """Everything in a bucket, but the markers that stand for folders."""
    found = s3().list_objects_v2(Bucket=bucket).get("Contents", [])
    return {entry["Key"] for entry in found if not entry["Key"].endswith("/")}


def content(bucket: str, key: str) -> bytes:
    return bytes(s3().get_object(Bucket=bucket, Key=key)["Body"].read())
