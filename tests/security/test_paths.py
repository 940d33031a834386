"""Parts of URLs, and names in records, that would lead elsewhere."""

import json

import pytest

from searchspace.spec import load_facts, load_spec, make_spec
from searchspace.storage.open_results import open_results
from tests.helpers.attacks.commands import READING, call
from tests.helpers.made_search import made_shipment, make_search
from tests.helpers.servers.s3_server import s3
from trainables.common.errors import DamagedError, UserError
from trainables.export.benchmark.architecture_cost import ArchitectureCost
from trainables.export.exported_files import ExportedFile
from trainables.storage.cache import cache_folder
from trainables.storage.local_copy import local_copy_folder
from trainables.storage.object_store.remote import Remote, check_location

OUTSIDE = (
    "s3://b/..", "s3://b/x/..", "s3://b/x/../y", "s3://b/.", "s3://b/./x", "s3://b//x", "s3://b/x//y", "s3://../x",
    "s3://b/%2e%2e", "s3://b/%2E./x", "s3://b/x/%2e%2e/y", "s3://b/x%2fy", "s3://b/x%00y", "gs://b/x/..",
    "s3://b/x/..?region=r", "s3://b/x/../", "s3://./x",
)  # fmt: skip


@pytest.mark.parametrize("url", OUTSIDE)
def test_a_url_with_parts_that_are_no_names_is_refused(url):
    with pytest.raises(ValueError, match="which is no name"):
        check_location(url)
    for option in ("results", "data"):
        with pytest.raises(UserError, match=f"--{option} .*which is no name"):
            make_spec(name="x", **{option: url})


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_no_command_takes_such_a_url(arguments):
    done = call(arguments, "s3://b/x/..")
    assert done.refused_in_one_line, done
    assert "which is no name" in done.error


def test_a_url_cannot_delete_the_copy_of_another(bucket, digits, tmp_path, monkeypatch):
    """The copy of `s3://B/x/..` was the folder of all copies, and what was not at that URL was deleted from it."""
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "cache"))
    make_search(tmp_path / "made", digits, trials=3)
    for file in (tmp_path / "made" / "made").glob("*"):
        if file.is_file():
            s3().put_object(Bucket=bucket, Key=f"results/made/{file.name}", Body=file.read_bytes())
    copy = open_results(f"s3://{bucket}/results/made").folder
    before = sorted(path for path in (tmp_path / "cache").rglob("*"))
    for url in (f"s3://{bucket}/results/made/..", f"s3://{bucket}/x/..", f"s3://{bucket}/results/."):
        with pytest.raises(UserError):
            open_results(url)
    assert sorted(path for path in (tmp_path / "cache").rglob("*")) == before
    assert load_spec(copy).trials == 3


URLS = ("s3://b/x/y", "s3://b/x/y?region=r", "s3://b/x", "s3://b/x/z", "gs://b/x/y", "s3://b/x y", "s3://b x/y", "s3://b",
        "s3://b/x%20y", "s3://b/y", "s3://bx/y")  # fmt: skip


@pytest.mark.parametrize("kind", ["copies", "results", "data"])
def test_every_url_has_a_copy_of_its_own(kind):
    folders = [local_copy_folder(kind, url) for url in URLS]
    assert len({folder.parent for folder in folders}) == len(URLS), "with its lock, and nothing of another below it"
    assert {folder.parent.parent for folder in folders} == {cache_folder() / kind}
    assert local_copy_folder(kind, "s3://b/x/y/") == local_copy_folder(kind, "s3://b/x/y")
    assert [folder.name for folder in folders[:2]] == ["y", "y"]


@pytest.mark.parametrize("url", ["s3://b/x/..", "s3://b/.", "s3://b//."])
def test_no_copy_lies_at_a_place_that_is_no_name(url):
    with pytest.raises(ValueError, match="ends in no name"):
        local_copy_folder("copies", url)


def test_names_at_a_url_that_lead_elsewhere_are_left_there(monkeypatch):
    from pyarrow import fs

    names = ["a", "b/c", "../d", "e/../f", "/g", "h//i", "./j", "k/./l", "m/\0n"]
    infos = [fs.FileInfo(f"root/{name}", fs.FileType.File, size=1, mtime_ns=1) for name in names]

    class System:
        def get_file_info(self, _selector):
            return infos

    assert set(Remote("s3://root", System(), "root").list()) == {"a", "b/c"}


NAMES = ("..", ".", "/etc", "a/b", "../../x", "a\nb", "-x", "x' or '1'='1", "x" * 300, "a\0b")


@pytest.mark.parametrize("field", ["name", "study"])
@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_name_is_checked_like_the_option(name, field, tmp_path, digits):
    folder = make_search(tmp_path / "found", digits, trials=1, finished=False)
    facts = load_facts(folder)
    facts["spec"][field] = name
    (folder / "search.json").write_text(json.dumps(facts))
    with pytest.raises(DamagedError, match=f"spec.{field}: .* is no name of a search"):
        load_spec(folder)
    assert call(("leaderboard",), folder).refused_in_one_line


def test_a_folder_may_be_called_what_its_owner_likes(tmp_path, digits):
    folder = make_search(tmp_path / "found", digits, trials=1, finished=False)
    spec = load_spec(folder.rename(folder.parent / "my search (2)"))
    assert (spec.name, spec.study_name) == ("my search (2)", "made")
    (spec.folder / "search.json").write_text(json.dumps({"spec": spec.model_dump(mode="json")}))  # as --resume does
    assert load_spec(spec.folder) == spec


@pytest.mark.parametrize("file", ["../../evil.onnx", "/etc/passwd", "search.json", "", ".."])
def test_a_shipped_file_is_one_that_exports_write(file):
    cost = ArchitectureCost(parameters=1, size_mb=0.1, latency_ms=0.1, memory_mb=1.0, runs=1)
    artefact = made_shipment(cost).artefacts[0].model_dump()
    with pytest.raises(ValueError, match="file"):
        ExportedFile.model_validate(artefact | {"file": file})
