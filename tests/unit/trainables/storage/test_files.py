"""The module that reads and writes below a results folder: no link, no pipe, no device, no end of memory."""

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel, TypeAdapter

from trainables.common.errors import DamagedError
from trainables.storage import files, folders
from trainables.storage.files import (
    copy_file,
    is_file,
    open_append,
    open_file,
    read_file,
    read_record,
    replacing,
    write_file,
)
from trainables.storage.folders import (
    files_below,
    is_folder,
    list_folder,
    make_folder,
    remove_file,
    remove_tree,
    rename,
)

SECRET = b"a private key"


class Record(BaseModel):
    """A record of the tests."""

    trials: int
    name: str = ""


def _link(path: Path, outside: Path) -> None:
    path.symlink_to(outside)


def _dangling(path: Path, outside: Path) -> None:
    path.symlink_to(outside.with_name("not-there"))


def _pipe(path: Path, _: Path) -> None:
    os.mkfifo(path)


def _device(path: Path, _: Path) -> None:
    path.symlink_to("/dev/zero")


def _folder(path: Path, _: Path) -> None:
    path.mkdir()


def _socket(path: Path, _: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        here = os.getcwd()
        os.chdir(path.parent)  # names of sockets are short
        try:
            made.bind(path.name)
        finally:
            os.chdir(here)


WRONG = {
    "link": (_link, "is a link"),
    "dangling": (_dangling, "is a link"),
    "device": (_device, "is a link"),
    "pipe": (_pipe, "is a named pipe"),
    "folder": (_folder, "is a folder"),
    "socket": (_socket, "is a socket"),
}
READERS: dict[str, Callable[[Path], object]] = {
    "open_file": open_file,
    "read_file": read_file,
    "read_text": files.read_text,
    "read_record": lambda path: read_record(path, Record),
    "is_file": is_file,
    "open_append": open_append,
    "copy_file": lambda path: copy_file(path, path.with_name("copy")),
}


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file outside of the folder that is read."""
    (tmp_path / "outside").mkdir()
    file = tmp_path / "outside" / "secret"
    file.write_bytes(SECRET)
    (tmp_path / "in").mkdir()
    return file


@pytest.mark.timeout(10)
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_regular_file_is_not_read(kind: str, reader: str, tmp_path: Path, secret: Path) -> None:
    make, said = WRONG[kind]
    file = tmp_path / "in" / "record.json"
    make(file, secret)
    with pytest.raises(DamagedError, match=rf"^damaged: '{file}': {said}"):
        READERS[reader](file)
    assert secret.read_bytes() == SECRET
    assert not (tmp_path / "outside" / "not-there").exists()


@pytest.mark.parametrize("reader", READERS)
def test_no_folder_on_the_way_is_a_link(reader: str, tmp_path: Path, secret: Path) -> None:
    (tmp_path / "in" / "winner").symlink_to(secret.parent)
    with pytest.raises(DamagedError, match=rf"^damaged: '{tmp_path}/in/winner': is a link"):
        READERS[reader](tmp_path / "in" / "winner" / "secret")


def _write(path: Path) -> None:
    with replacing(path) as file:
        file.write(b"new")


WRITERS: dict[str, Callable[[Path], object]] = {
    "write_file": lambda path: write_file(path, b"new"),
    "replacing": _write,
    "copy_file": lambda path: copy_file(path.parent.parent / "source", path),
    "make_folder": lambda path: make_folder(path.with_name("new") / "er"),
    "create_file": lambda path: files.create_file(path.with_name("permit"), b""),
    "open_append": lambda path: open_append(path.with_name("log")).close(),
    "remove_file": remove_file,
    "remove_tree": remove_tree,
    "rename": lambda path: rename(path, path.with_name("other")),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_nothing_is_written_through_a_folder_that_is_a_link(writer: str, tmp_path: Path, secret: Path) -> None:
    (tmp_path / "in" / "source").write_bytes(b"new")
    (tmp_path / "in" / "winner").symlink_to(secret.parent)
    with pytest.raises(DamagedError, match="is a link"):
        WRITERS[writer](tmp_path / "in" / "winner" / "secret")
    assert [path.name for path in secret.parent.iterdir()] == ["secret"]
    assert secret.read_bytes() == SECRET


@pytest.mark.parametrize("writer", ["write_file", "replacing", "copy_file"])
@pytest.mark.parametrize("kind", [kind for kind in WRONG if kind != "folder"])
def test_a_write_takes_the_place_of_what_is_there(kind: str, writer: str, tmp_path: Path, secret: Path) -> None:
    (tmp_path / "in" / "source").write_bytes(b"new")
    place = tmp_path / "in" / "winner" / "record.json"
    place.parent.mkdir()
    WRONG[kind][0](place, secret)
    WRONG[kind][0](place.with_name("record.json.partial"), secret)
    WRITERS[writer](place)
    assert not place.is_symlink()
    assert place.read_bytes() == b"new"
    assert secret.read_bytes() == SECRET
    assert [path.name for path in secret.parent.iterdir()] == ["secret"]
    assert sorted(path.name for path in place.parent.iterdir()) == ["record.json", "record.json.partial"]


def test_a_write_over_a_folder_says_so(tmp_path: Path) -> None:
    (tmp_path / "record.json").mkdir()
    with pytest.raises(DamagedError, match="is a folder, not a file"):
        write_file(tmp_path / "record.json", b"new")
    assert list_folder(tmp_path) == ["record.json"]


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    write_file(tmp_path / "a" / "record", b"old")

    def fail() -> None:
        with replacing(tmp_path / "a" / "record") as file:
            file.write(b"half")
            raise RuntimeError("power")

    with pytest.raises(RuntimeError, match="power"):
        fail()
    assert list_folder(tmp_path / "a") == ["record"]
    assert read_file(tmp_path / "a" / "record") == b"old"


def test_names_of_unfinished_files_cannot_be_foreseen(tmp_path: Path) -> None:
    seen = set()
    for _ in range(3):
        with replacing(tmp_path / "record"):
            seen |= set(list_folder(tmp_path)) - {"record"}
    assert len(seen) == 3
    assert all(name.endswith(files.PARTIAL) and len(name) >= 16 + len(files.PARTIAL) for name in seen)


def test_the_umask_decides_who_may_read(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_file(tmp_path / "record", b"")
        files.create_file(tmp_path / "permit", b"")
    finally:
        os.umask(before)
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("record", "permit")} == {0o640}


def test_what_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)  # a sparse file of a terabyte
    with pytest.raises(DamagedError, match=r"has 1,099,511,627,776 bytes; at most 64,000,000 are read"):
        read_file(tmp_path / "huge")


def test_a_small_file_takes_little_memory_whatever_the_limit(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"small")
    assert read_file(tmp_path / "small", 1 << 45) == b"small"


@pytest.mark.parametrize("reader", READERS)
def test_a_missing_file_is_missing(reader: str, tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "record"
    if reader == "is_file":
        assert not is_file(path)
    elif reader == "open_append":
        open_append(path).close()
        assert read_file(path) == b""
    else:
        with pytest.raises(FileNotFoundError, match=str(path.parent)):
            READERS[reader](path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "invalid JSON"),
        (b"", "invalid JSON"),
        (b"\xff\xfe", "invalid JSON"),
        (b"[1]", "(found [1])"),
        (b'{"trials": "\\u001b[31m"}', r"trials: Input should be a valid integer"),
        (b'{"trials": "' + b"9" * 5000 + b'"}', "trials: "),
        (b"[" * 100_000, "invalid JSON"),
    ],
)
def test_a_record_of_another_form_names_what_is_wrong(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "record").write_bytes(content)
    with pytest.raises(DamagedError) as caught:
        read_record(tmp_path / "record", Record)
    text = str(caught.value)
    assert text.startswith(f"damaged: '{tmp_path}/record': ")
    assert said in text
    assert text.isprintable()
    assert len(text) < 400


def test_records_by_model_and_by_adapter(tmp_path: Path) -> None:
    write_file(tmp_path / "record", b'{"trials": 3}')
    assert read_record(tmp_path / "record", Record) == Record(trials=3)
    assert read_record(tmp_path / "record", TypeAdapter(dict[str, int])) == {"trials": 3}


def test_folders_are_listed_without_following_links(tmp_path: Path, secret: Path) -> None:
    inside = tmp_path / "in"
    write_file(inside / "b" / "two", b"")
    write_file(inside / "a", b"")
    (inside / "link").symlink_to(secret.parent)
    (inside / "b" / "file").symlink_to(secret)
    os.mkfifo(inside / "b" / "pipe")
    assert list(files_below(inside)) == [("a", inside / "a"), ("b/two", inside / "b" / "two")]
    assert list_folder(inside / "nowhere") == []
    assert is_folder(inside / "b")
    assert not is_folder(inside / "nowhere")
    with pytest.raises(DamagedError, match="is a link"):
        list_folder(inside / "link")


def test_a_tree_is_removed_and_not_what_its_links_lead_to(tmp_path: Path, secret: Path) -> None:
    tree = tmp_path / "in" / "tree"
    write_file(tree / "deep" / "file", b"")
    (tree / "link").symlink_to(secret.parent)
    remove_tree(tree)
    (tmp_path / "in" / "link").symlink_to(secret.parent)
    remove_tree(tmp_path / "in" / "link")
    remove_tree(tmp_path / "in" / "nowhere")
    assert list_folder(tmp_path / "in") == []
    assert secret.read_bytes() == SECRET


def test_a_folder_that_may_be_entered_and_not_listed_is_walked(tmp_path: Path) -> None:
    write_file(tmp_path / "home" / "results" / "record", b"{}")
    (tmp_path / "home").chmod(0o311)
    try:
        write_file(tmp_path / "home" / "results" / "record", b"[]")
        assert read_file(tmp_path / "home" / "results" / "record") == b"[]"
    finally:
        (tmp_path / "home").chmod(0o755)


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    for call in (read_file, is_file, folders.make_folder):
        with pytest.raises(DamagedError, match="is a name that no file can have"):
            call(tmp_path / "a\0b")
