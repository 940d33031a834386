"""A search on an S3 that asks a worker's policy about each request, as Amazon's does: it gets through, no further."""

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.etree import ElementTree

import boto3
import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from searchspace.cluster.clouds.policies import Account, worker_policy
from tests.helpers.commands import command
from tests.helpers.images.data_sets import write_images
from tests.helpers.servers.iam import Request, allows

SMALL = ("--trials", "2", "--models", "convnet", "--max-epochs", "2", "--finalists", "1", "--final-seeds", "1",
         "--formats", "onnx", "--max-concurrent", "1")  # fmt: skip
REFUSED = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'


class Guarded:
    """A WSGI application in front of moto's S3; every request of an S3 client is put to a policy first."""

    def __init__(self, bucket: str) -> None:
        self.inner = DomainDispatcherApplication(create_backend_app)
        self.policy = worker_policy(Account(
            number="1", region="us-east-1", cluster="searchspace", bucket=bucket, group="sg", template="lt",
            subnets=("s",), types=("t",), disk_gb=1, key_name="k",
        ))  # fmt: skip
        self.enforced = False
        self.refused: list[Request] = []

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if self.enforced:
            found = [request for request in asked(environ) if not allows(self.policy, request)]
            if found:
                self.refused += found
                start("403 Forbidden", [("Content-Type", "application/xml"), ("Content-Length", str(len(REFUSED)))])
                return [REFUSED]
        answer: Iterable[bytes] = self.inner(environ, start)
        return answer


def asked(environ: dict[str, Any]) -> list[Request]:
    """What Amazon S3 asks IAM for a request (Service Authorization Reference, Amazon S3, and its API's reference)."""
    query = parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
    bucket, _, key = unquote(environ["PATH_INFO"]).lstrip("/").partition("/")
    method, place = environ["REQUEST_METHOD"], f"arn:aws:s3:::{bucket}"
    if not key:
        if method == "POST" and "delete" in query:
            return [Request("s3:DeleteObject", f"{place}/{name}") for name in _deleted(environ)]
        action = {"GET": "s3:GetBucketLocation" if "location" in query else "s3:ListBucket", "HEAD": "s3:ListBucket"}
        return [Request(action.get(method, "s3:CreateBucket") if bucket else "s3:ListAllMyBuckets", place)]
    if method == "DELETE":
        action_name = "s3:AbortMultipartUpload" if "uploadId" in query else "s3:DeleteObject"
        return [Request(action_name, f"{place}/{key}")]
    if method in {"PUT", "POST"}:
        source = unquote(environ.get("HTTP_X_AMZ_COPY_SOURCE", "")).lstrip("/")
        copied = [Request("s3:GetObject", f"arn:aws:s3:::{source}")] if source else []
        return [*copied, Request("s3:PutObject", f"{place}/{key}")]
    return [Request("s3:GetObject", f"{place}/{key}")]


def _deleted(environ: dict[str, Any]) -> list[str]:
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    environ["wsgi.input"] = _Again(body)
    return [node.text or "" for node in ElementTree.fromstring(body).iter() if node.tag.endswith("Key")]


class Silent(WSGIRequestHandler):
    """Says nothing of hundreds of requests."""

    def log_request(self, *_: Any) -> None:
        pass


class _Again:
    """A request's body, to be read a second time."""

    def __init__(self, body: bytes) -> None:
        self._left = body

    def read(self, size: int = -1) -> bytes:
        size = len(self._left) if size < 0 else size
        found, self._left = self._left[:size], self._left[size:]
        return found


@pytest.fixture
def guarded(monkeypatch, tmp_path) -> Iterator[tuple[Guarded, str]]:
    """The guarded server and its bucket, which has a data set below `data/`."""
    bucket = f"bucket-{uuid.uuid4().hex[:12]}"
    guard = Guarded(bucket)
    server = make_server("127.0.0.1", 0, guard, threaded=True, request_handler=Silent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}", "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "a secret", "AWS_DEFAULT_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=bucket)
    images = tmp_path / "images"
    for number, colour in enumerate([(250, 20, 20), (20, 20, 250)]):
        write_images(images / f"class{number}", 24, (16, 16), colour, seed=number)
    for file in images.rglob("*.*"):
        s3.upload_file(str(file), bucket, f"data/{file.relative_to(images)}")
    guard.enforced = True
    yield guard, bucket
    server.shutdown()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_search_gets_through_with_a_workers_rights_and_leaves_nothing_elsewhere(guarded, tmp_path):
    guard, bucket = guarded
    data, results = f"s3://{bucket}/data", f"s3://{bucket}/searches"
    home = tmp_path / "home"
    home.mkdir()
    given = ("--data", data, *SMALL)
    done = command("run", *given, "--results", results, "--name", "s", home=home, cache=home / "c", cwd=home)
    assert done.returncode == 0, done.stdout + done.stderr
    done = command("run", "--resume", f"{results}/s", "--trials", "3", home=home, cache=tmp_path / "other", cwd=home)
    assert done.returncode == 0, done.stdout + done.stderr
    assert guard.refused == []
    elsewhere = command("run", *given, "--results", f"s3://{bucket}/packages", home=home, cache=home / "c", cwd=home)
    assert elsewhere.returncode == 2
    assert len(elsewhere.stderr.splitlines()) == 1, elsewhere.stderr
    assert "packages" in elsewhere.stderr
    assert "/packages/" in guard.refused[0].resource
    guard.enforced = False
    kept = {entry["Key"].split("/")[0] for entry in boto3.client("s3").list_objects_v2(Bucket=bucket)["Contents"]}
    assert kept == {"data", "searches"}


def test_what_is_not_a_workers_is_refused_by_the_server(guarded):
    guard, bucket = guarded
    s3 = boto3.client("s3")
    s3.put_object(Bucket=bucket, Key="searches/s/a", Body=b"a")
    s3.copy_object(Bucket=bucket, Key="searches/s/b", CopySource=f"{bucket}/data/class0/0.png")
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "searches/s/a"}]})
    assert guard.refused == []
    tries: list[Callable[[], Any]] = [
        lambda: s3.put_object(Bucket=bucket, Key="data/class0/0.png", Body=b"poison"),
        lambda: s3.put_object(Bucket=bucket, Key="packages/code.zip", Body=b"code"),
        lambda: s3.delete_object(Bucket=bucket, Key="data/class0/0.png"),
        lambda: s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "data/class0/0.png"}]}),
        lambda: s3.copy_object(Bucket=bucket, Key="data/b", CopySource=f"{bucket}/searches/s/b"),
        lambda: s3.get_object(Bucket=bucket, Key="secrets/key"),
        s3.list_buckets,
        lambda: s3.create_bucket(Bucket="mine"),
    ]
    for attempt in tries:
        with pytest.raises(s3.exceptions.ClientError, match=r"AccessDenied|Forbidden|403"):
            attempt()
    assert len(guard.refused) == len(tries)


def test_the_data_of_the_test_is_there(guarded):
    names = [Path(one["Key"]) for one in boto3.client("s3").list_objects_v2(Bucket=guarded[1])["Contents"]]
    assert {path.parent.name for path in names} == {"class0", "class1"}
