"""Downloads and archives: what comes is what was meant, and nothing of it lands anywhere else."""

import functools
import hashlib
import http.server
import io
import os
import tarfile
import threading
from dataclasses import replace

import numpy as np
import pytest

from trainables.data.data_options import DataOptions
from trainables.data.sources import cifar
from trainables.data.sources.cifar import CIFAR10, CIFAR100, read_archive
from trainables.data.sources.download import download_file

CONTENT = b"what was meant"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(tmp_path):
    """A web server on this machine, and the folder that it serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}/", folder
        serving.shutdown()
        thread.join()


def test_a_download_is_kept_and_not_repeated(server, tmp_path):
    url, folder = server
    (folder / "file").write_bytes(CONTENT)
    file = download_file(url + "file", SHA256, tmp_path / "downloads")
    assert file.read_bytes() == CONTENT
    (folder / "file").unlink()
    assert download_file(url + "file", SHA256, tmp_path / "downloads") == file


def test_another_content_is_refused_and_not_kept(server, tmp_path):
    url, folder = server
    (folder / "file").write_bytes(b"something else")
    with pytest.raises(OSError, match="is not what it should be"):
        download_file(url + "file", SHA256, tmp_path / "downloads")
    assert list((tmp_path / "downloads").iterdir()) == []


def test_what_was_changed_since_is_downloaded_again(server, tmp_path):
    url, folder = server
    (folder / "file").write_bytes(CONTENT)
    download_file(url + "file", SHA256, tmp_path / "downloads").write_bytes(b"changed")
    assert download_file(url + "file", SHA256, tmp_path / "downloads").read_bytes() == CONTENT


@pytest.mark.parametrize("place", ["file", "file.partial"])
@pytest.mark.parametrize("odd", ["a folder", "a link to nothing", "a pipe"])
def test_what_stands_in_the_way_of_a_download_goes(server, tmp_path, place, odd):
    url, folder = server
    (folder / "file").write_bytes(CONTENT)
    way = tmp_path / "downloads" / place
    way.parent.mkdir()
    if odd == "a folder":
        (way / "x").mkdir(parents=True)
    elif odd == "a pipe":
        os.mkfifo(way)
    else:
        way.symlink_to(tmp_path / "nowhere")
    assert download_file(url + "file", SHA256, tmp_path / "downloads").read_bytes() == CONTENT
    assert [each.name for each in (tmp_path / "downloads").iterdir()] == ["file"]
    assert not (tmp_path / "nowhere").exists()


def packed(members: dict[str, bytes], link: str = "") -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, data in members.items():
            found = tarfile.TarInfo(name)
            found.size = len(data)
            archive.addfile(found, io.BytesIO(data))
        if link:
            found = tarfile.TarInfo(CIFAR10.names)
            found.type, found.linkname = tarfile.SYMTYPE, link
            archive.addfile(found)
    return content.getvalue()


def records(count: int, header: int, first: int) -> bytes:
    pixels = np.arange(count * 3072, dtype=np.uint8).reshape(count, 3072)
    labels = np.zeros((count, header), np.uint8)
    labels[:, -1] = np.arange(first, first + count)
    return np.concatenate([labels, pixels], axis=1).tobytes()


def honest() -> dict[str, bytes]:
    trained = {member: records(2, 1, 2 * i) for i, member in enumerate(CIFAR10.train)}
    names = "\n".join(f"class{i}" for i in range(10)) + "\n\n"
    return trained | {CIFAR10.test[0]: records(3, 1, 4), CIFAR10.names: names.encode()}


def test_images_and_labels_are_read_in_the_archives_order(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(packed(honest()))
    raw = read_archive("cifar10", CIFAR10, tmp_path / "a.tar.gz")
    assert raw.classes == tuple(f"class{i}" for i in range(10))
    assert raw.parts["train"].labels.tolist() == list(range(10))
    assert raw.parts["test"].labels.tolist() == [4, 5, 6]
    image = raw.parts["train"].decode(0)
    assert image.shape == (32, 32, 3)
    assert [image[0, 0].tolist(), image[0, 1].tolist()] == [[0, 0, 0], [1, 1, 1]], "planes of 1,024 bytes each"


def test_cifar100_takes_the_fine_label(tmp_path):
    members = {CIFAR100.train[0]: records(4, 2, 0), CIFAR100.test[0]: records(2, 2, 8), CIFAR100.names: b"a\nb\n"}
    (tmp_path / "a.tar.gz").write_bytes(packed(members))
    assert read_archive("cifar100", CIFAR100, tmp_path / "a.tar.gz").parts["test"].labels.tolist() == [8, 9]


def test_members_that_would_land_elsewhere_land_nowhere(tmp_path):
    inside = tmp_path / "deep" / "inside"
    inside.mkdir(parents=True)
    evil = {"../../escaped": b"1", str(tmp_path / "absolute"): b"2", "cifar-10-batches-bin/../../../up": b"3"}
    (inside / "a.tar.gz").write_bytes(packed(honest() | evil))
    before = sorted(tmp_path.rglob("*"))
    assert len(read_archive("cifar10", CIFAR10, inside / "a.tar.gz").parts["train"].labels) == 10
    assert sorted(tmp_path.rglob("*")) == before, "reading writes nothing"


def test_a_link_in_an_archive_leads_to_no_file_of_this_machine(tmp_path):
    (tmp_path / "secret").write_text("a secret")
    members = {name: data for name, data in honest().items() if name != CIFAR10.names}
    (tmp_path / "a.tar.gz").write_bytes(packed(members, link="../secret"))
    with pytest.raises(KeyError):
        read_archive("cifar10", CIFAR10, tmp_path / "a.tar.gz")


def test_a_set_is_downloaded_checked_and_opened(server, tmp_path, monkeypatch):
    url, folder = server
    content = packed(honest())
    (folder / CIFAR10.file).write_bytes(content)
    monkeypatch.setattr(cifar, "BASE_URL", url)
    monkeypatch.setattr(cifar, "CIFAR10", replace(CIFAR10, sha256=hashlib.sha256(content).hexdigest()))
    assert len(cifar.open_cifar10(tmp_path / "downloads", DataOptions()).parts["train"].labels) == 10
