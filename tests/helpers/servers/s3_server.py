"""A real S3-compatible server (moto's), in this process, on a port of its own."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import boto3
import moto.s3.models
import pytest
from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer


@dataclass
class Store:
    """What tests change about the server while it runs."""

    clock: timedelta = timedelta()
    """How far its clock is ahead of this machine's."""
    slow: dict[str, float] = field(default_factory=dict)
    """Seconds that a PUT takes, by the end of its key."""
    conditional: bool = True
    """Whether it heeds `If-Match` and `If-None-Match` of a PUT."""
    writing: list[str] = field(default_factory=list)
    """Keys of PUTs in progress."""


STORE = Store()
_ONE_WRITE = threading.RLock()


def _put_as_s3_does(put: Callable[[S3Response], object]) -> Callable[[S3Response], object]:
    """moto looks at a condition, and then writes; at Amazon that is one step."""

    def put_object(self: S3Response) -> object:
        key = self.parse_key_name()
        STORE.writing.append(key)
        time.sleep(next((seconds for end, seconds in STORE.slow.items() if key.endswith(end)), 0.0))
        if not STORE.conditional:
            self.headers = {name: value for name, value in self.headers.items() if not name.startswith("If-")}
        try:
            with _ONE_WRITE:
                return put(self)
        finally:
            STORE.writing.remove(key)

    return put_object


@pytest.fixture
def store() -> Iterator[Store]:
    """The server's clock and faults; as they should be afterwards."""
    yield STORE
    STORE.clock, STORE.slow, STORE.conditional = timedelta(), {}, True


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Its address."""
    clock: Callable[[], datetime] = moto.s3.models.utcnow
    moto.s3.models.utcnow = lambda: clock() + STORE.clock
    S3Response.put_object = _put_as_s3_does(S3Response.put_object)
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
