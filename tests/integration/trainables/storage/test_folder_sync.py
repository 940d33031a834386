"""A folder and its twin at a URL: only what changed moves, in an order that no crash can make a lie of."""

from pathlib import Path

import pytest

from tests.helpers.servers.s3_server import content, keys, s3
from trainables.common.errors import UserError
from trainables.config import Assignment, TrialConfig
from trainables.data.sources.source_registry import fetch_source
from trainables.data.store.shared_store import share_store
from trainables.data.store.store import open_store, prepare_data
from trainables.storage.folder_sync import FolderSync, without_checkpoints
from trainables.storage.object_store.remote import Remote, check_location, is_url, join_url
from trainables.storage.search_storage import SearchStorage
from trainables.storage.trial_directory import open_trial_directory


@pytest.fixture
def moved(monkeypatch):
    """Names of files that were sent or fetched, in order."""
    names = []
    for way in ("send", "fetch"):
        original = getattr(Remote, way)

        def noted(self, *arguments, original=original, way=way, **more):
            names.append((way, next(a for a in arguments if isinstance(a, str))))
            return original(self, *arguments, **more)

        monkeypatch.setattr(Remote, way, noted)
    return names


def write(folder, **files):
    for name, text in files.items():
        file = folder / name.replace("__", "/").replace("_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.fixture
def here(tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


@pytest.fixture
def url(bucket):  # the fixture
    return f"s3://{bucket}/some/where"


def mirror(folder, url):
    folder.mkdir(exist_ok=True)
    return FolderSync(SearchStorage(folder=str(folder), url=url))


@pytest.mark.parametrize(
    ("place", "kept"),
    [
        ("results", "results"),
        ("/x/y", "/x/y"),
        ("file:///x/y", "/x/y"),
        ("s3://b/p/", "s3://b/p"),
        ("gs://b", "gs://b"),
    ],
)
def test_a_place_is_a_folder_or_a_url(place, kept):
    assert check_location(place) == kept
    assert is_url(kept) == (place[:2] in {"s3", "gs"})


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("s3x://b/p", "s3x:// is not one of s3://, gs://, file://"), ("https://b/p", "https:// is not one of"),
        ("file://host/x", "not one of"), ("s3:///p", "names no bucket"), ("s3://key:secret@b/p", "holds credentials"),
    ],
)  # fmt: skip
def test_a_url_that_is_of_no_use_is_refused(place, said):
    with pytest.raises(ValueError, match=said):
        check_location(place)


def test_what_is_below_a_url_keeps_its_query():
    assert join_url("s3://b/p?region=x", "a", "", "b") == "s3://b/p/a/b?region=x"


def test_a_change_moves_and_nothing_else_does(here, url, tmp_path, moved):
    write(here, a_txt="1", sub__b_json="2")
    first = mirror(here, url)
    first.push()
    first.push()
    write(here, a_txt="other")
    first.push()
    assert moved == [("send", "a.txt"), ("send", "sub/b.json"), ("send", "a.txt")]
    moved.clear()
    there = tmp_path / "there"
    mirror(there, url).pull()
    mirror(there, url).pull()
    assert sorted(moved) == [("fetch", "a.txt"), ("fetch", "sub/b.json")]
    assert (there / "a.txt").read_text() == "other"
    mirror(there, url).push()  # by another process, which cannot know what was there
    second = mirror(there, url)
    second.pull()
    moved.clear()
    second.push()
    assert moved == [], "what was fetched is not sent back"


def test_what_tells_of_others_comes_after_them(here, url, moved):
    write(here, checkpoint_json="{}", epoch_safetensors="x", study_journal="y", z_txt="z")
    mirror(here, url).push()
    assert [name for _, name in moved] == ["epoch.safetensors", "z.txt", "checkpoint.json", "study.journal"]


def test_a_deletion_moves_but_never_takes_what_others_left(here, url, bucket):
    write(here, mine_txt="1", stays_txt="2")
    one = mirror(here, url)
    one.push()
    s3().put_object(Bucket=bucket, Key="some/where/trials/t/theirs.txt", Body=b"3")
    (here / "mine.txt").unlink()
    one.push()
    assert keys(bucket) == {"some/where/stays.txt", "some/where/trials/t/theirs.txt"}


def test_what_is_of_one_machine_alone_stays_there(here, url, bucket):
    write(here, search_lock="1", gangs__x="2", study_journal_lock="3", new_json_partial="4", search_json="5")
    mirror(here, url).push()
    assert keys(bucket) == {"some/where/search.json"}


def test_a_change_here_is_not_overwritten(here, url, bucket):
    one = mirror(here, url)
    write(here, a_txt="1")
    one.push()
    write(here, a_txt="newer")
    one.pull()
    assert (here / "a.txt").read_text() == "newer"


def test_no_name_leads_out_of_the_folder(here, url, bucket, tmp_path):
    for key in ("some/where/../../../evil.txt", "some/where/sub/../../evil.txt", "some/where/good.txt"):
        s3().put_object(Bucket=bucket, Key=key, Body=b"x")
    mirror(here, url).pull()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["good.txt"]


def test_a_worker_has_what_it_needs_here_and_leaves_what_it_made_there(here, url, bucket, moved):
    for key in ("trials/t/checkpoints/checkpoint.json", "winner/model.json", "winner/checkpoints/x", "other.txt"):
        s3().put_object(Bucket=bucket, Key=f"some/where/{key}", Body=b"old")
    home = SearchStorage(folder=str(here), url=url)
    task = Assignment(
        trial="t", kind="winner", config=TrialConfig(), seed=0, max_epochs=1, folder=str(here / "trials" / "t"),
        teacher=str(here / "winner"),
    )  # fmt: skip
    with open_trial_directory(home, task, "0 0") as visit:
        fetched = sorted(name for _, name in moved)
        trial = Path(visit.assignment.folder)
        (trial / "model.json").write_text("made")
        (trial / "checkpoints" / "checkpoint.json").unlink()
        visit.upload()
        assert content(bucket, "some/where/trials/t/model.json") == b"made"
    assert fetched == ["checkpoints/checkpoint.json", "model.json"]
    assert "some/where/trials/t/checkpoints/checkpoint.json" not in keys(bucket)
    assert not trial.exists()
    assert list(here.iterdir()) == [], "the driver's folder is not the worker's"


def test_without_a_url_everything_is_where_it_was(here):
    task = Assignment(trial="t", kind="search", config=TrialConfig(), seed=0, max_epochs=1, folder=str(here))
    with open_trial_directory(SearchStorage(folder=str(here)), task, "0 0") as visit:
        visit.upload()
        assert visit.assignment is task


def test_a_home_weighs_and_removes_checkpoints_wherever_they_are(here, url, bucket):
    s3().put_object(Bucket=bucket, Key="some/where/trials/t/checkpoints/x", Body=b"12345")
    write(here, trials__t__checkpoints__x="123")
    checkpoints = here / "trials" / "t" / "checkpoints"
    far, near = SearchStorage(folder=str(here), url=url), SearchStorage(folder=str(here))
    assert (far.measure_folder(checkpoints), near.measure_folder(checkpoints)) == (5, 3)
    far.remove_folder(checkpoints)
    assert keys(bucket) == set()
    assert not checkpoints.exists()
    s3().put_object(Bucket=bucket, Key="some/where/x", Body=b"12345")
    far.remove_folder(here)
    assert keys(bucket) == set(), "a home itself"
    assert without_checkpoints("trials/t/checkpoints/x") is False


def test_a_node_takes_a_finished_store_without_the_images(colour_folder, bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "one"))
    data = share_store(prepare_data(str(colour_folder)), f"s3://{bucket}/results")
    original = open_store(data)
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "two"))
    away = data.model_copy(update={"path": str(tmp_path / "gone" / original.path.name), "origin": "/no/such/folder"})
    fetched = open_store(away)
    assert fetched.path.is_relative_to(tmp_path / "two")
    assert (fetched.images == original.images).all()
    assert (fetched.labels == original.labels).all()
    with pytest.raises(UserError, match="the fingerprint of "):
        open_store(away.model_copy(update={"fingerprint": "another"}))


def test_a_shared_store_is_put_there_once(colour_folder, bucket, moved):
    data = prepare_data(str(colour_folder))
    first = share_store(data, f"s3://{bucket}/results")
    assert moved[-1] == ("send", "summary.json"), "with it the store is whole"
    moved.clear()
    assert share_store(data, f"s3://{bucket}/results") == first
    assert moved == []


def test_images_at_a_url_are_fetched_once_and_again_where_they_changed(colour_folder, url, moved):
    for image in [*colour_folder.glob("*/1?.png"), *colour_folder.glob("*/[23]?.png")]:
        image.unlink()
    mirror(colour_folder, url).push()
    moved.clear()
    first = prepare_data(url)
    assert len(moved) == 20
    assert (first.classes, first.train + first.val + first.test) == (("blue", "red"), 20)
    moved.clear()
    assert prepare_data(url).fingerprint == first.fingerprint
    assert moved == []
    (colour_folder / "red" / "0.png").write_bytes((colour_folder / "blue" / "0.png").read_bytes() + b" ")
    mirror(colour_folder, url).push()
    (colour_folder / "red" / "1.png").unlink()
    s3().delete_object(Bucket=url.split("/")[2], Key="some/where/red/1.png")
    assert prepare_data(url).fingerprint != first.fingerprint
    assert not (fetch_source(url) / "red" / "1.png").exists()


def test_no_images_at_a_url_is_said(url):
    with pytest.raises(UserError, match="there are no files"):
        prepare_data(url)


def test_a_worker_takes_its_own_way_to_a_shared_folder(tmp_path):
    """Nodes may reach one folder by other links; below it no link is followed."""
    (tmp_path / "mounted" / "s").mkdir(parents=True)
    (tmp_path / "results").symlink_to(tmp_path / "mounted")
    given = tmp_path / "results" / "s"
    assignment = Assignment(
        trial="1", kind="search", config=TrialConfig(), max_epochs=1, seed=0, folder=str(given / "trials" / "1")
    )
    with open_trial_directory(SearchStorage(folder=str(given)), assignment, "0") as visit:
        assert visit.assignment.folder == str(tmp_path / "mounted" / "s" / "trials" / "1")
