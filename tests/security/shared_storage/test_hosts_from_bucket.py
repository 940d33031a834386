"""Whoever may write to a bucket has its record name hosts of theirs and folders of the victim's, for `--resume`."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from searchspace.preparation.prepare_data import prepare_shared
from searchspace.preparation.resume import is_finished, load_resumed_spec
from searchspace.progress.live_screen import open_reporter
from searchspace.spec import make_spec
from tests.helpers.servers.s3_server import keys, s3
from trainables.common.errors import UserError


@pytest.fixture
def listener() -> Iterator[tuple[str, list[bytes]]]:
    """A host of the attacker's, as HOST:PORT, and what it has heard."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                heard.append(connection.recv(1 << 16))
                connection.close()

        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}", heard


def upload(bucket: str, **spec: str) -> str:
    """A search at the URL, with a record of the attacker's; the URL of all searches."""
    results = f"s3://{bucket}/searches"
    record = {"spec": {"name": "s", "results": results} | spec, "data": {"fingerprint": "0" * 64}}
    s3().put_object(Bucket=bucket, Key="searches/s/search.json", Body=json.dumps(record).encode())
    return results


def resume(results: str, **given: str) -> None:
    spec = load_resumed_spec("s", {"results": results} | given, frozenset(given))
    is_finished(spec)


@pytest.mark.parametrize("scheme", ["ray://", ""])
def test_a_cluster_that_only_the_record_names_is_not_joined(scheme, bucket, listener, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "f" * 64)
    address, heard = listener
    results = upload(bucket, address=f"{scheme}{address}")
    with pytest.raises(UserError, match=r"its record at a URL names a Ray cluster.*give --address"):
        resume(results)
    assert heard == []


@pytest.mark.parametrize("given", ["", "auto", "ray://10.0.0.1:10001"])
def test_one_that_is_given_counts(given, bucket, listener):
    results = upload(bucket, address=f"ray://{listener[0]}")
    assert load_resumed_spec("s", {"results": results, "address": given}, frozenset({"address"})).address == given


@pytest.mark.parametrize("url", ["postgresql://x@{host}/db", "mysql://x@{host}/db", "postgresql://x:***@{host}/db"])
@pytest.mark.parametrize("named", ["", "postgresql://me:secret@10.0.0.1/mine"])
def test_a_database_that_only_the_record_names_is_not_opened(url, named, bucket, listener, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "secret")
    monkeypatch.setenv("SEARCHSPACE_STORAGE", named)
    host, heard = listener
    results = upload(bucket, storage=url.format(host=host))
    with pytest.raises(UserError, match=r"--storage"):
        resume(results)
    assert heard == []


def test_nor_is_a_file_of_ones_own_made_into_a_database(bucket, tmp_path, monkeypatch):
    monkeypatch.delenv("SEARCHSPACE_STORAGE", raising=False)
    file = tmp_path / "mine.db"
    file.touch()
    with pytest.raises(UserError, match=r"--storage"):
        resume(upload(bucket, storage=f"sqlite:///{file}"))
    assert file.stat().st_size == 0


@pytest.fixture
def copied(bucket, colour_folder, tmp_path, monkeypatch) -> tuple[str, Path]:
    """A search at a URL on images of the victim's, as `--resume` has it before the data is looked at."""
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "cache"))
    return f"s3://{bucket}/searches", colour_folder


def test_images_that_only_the_record_names_are_not_sent_to_the_bucket(copied, bucket):
    results, images = copied
    spec = make_spec(name="s", results=results, data=str(images), address="auto")
    spec.folder.mkdir(parents=True, exist_ok=True)
    (spec.folder / "search.json").write_text(
        json.dumps({"spec": spec.model_dump(mode="json"), "data": {"fingerprint": "0" * 64}})
    )
    with pytest.raises(UserError, match="is not what it was begun on"):
        prepare_shared(spec, open_reporter("", 0.0), resumed=True)
    assert keys(bucket) == set()
    prepare_shared(spec, open_reporter("", 0.0))
    assert any(key.startswith("searches/stores/") for key in keys(bucket)), "as a new search on them does"
