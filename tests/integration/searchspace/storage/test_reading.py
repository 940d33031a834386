"""Commands that read a search take its URL: a copy of what they need, and no more, is brought here."""

import json

import pytest

from searchspace.sampling.warm_start import read_best_configs
from searchspace.storage.open_results import is_board_file, is_export_file, is_model_file, open_results
from tests.helpers.commands import command
from tests.helpers.made_search import make_search
from tests.helpers.servers.s3_server import content, keys, s3
from trainables.common.errors import UserError
from trainables.storage.folder_sync import FolderSync
from trainables.storage.search_storage import SearchStorage


@pytest.fixture
def url(bucket, digits, tmp_path):  # the fixture
    """Of a made-up search in a bucket, with files of gangs', and weights."""
    folder = make_search(tmp_path / "made", digits)
    for name in ("winner/model.safetensors", "winner/model.onnx", "trials/trial-0/checkpoints/checkpoint.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("large")
    url = f"s3://{bucket}/results/made"
    FolderSync(SearchStorage(folder=str(folder), url=url)).push()
    return url


def told(*arguments, home, cache):
    done = command(*arguments, home=home, cache=cache, cwd=home)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_boards_are_the_same_from_a_url(url, tmp_path, cache):
    here = str(tmp_path / "made" / "made")
    for more in ((), ("--format", "csv"), ("--compare", "0", "1", "--format", "json")):
        far = told("leaderboard", url, *more, home=tmp_path, cache=cache)
        assert far == told("leaderboard", here, *more, home=tmp_path, cache=cache)
        assert far
    (row,) = json.loads(told("leaderboard", url.rpartition("/")[0], "--format", "json", home=tmp_path, cache=cache))
    assert row["search"] == "made"
    assert told("replay", url, home=tmp_path, cache=cache) == told("replay", here, home=tmp_path, cache=cache)


def test_a_report_goes_back_to_where_its_search_is(url, bucket, tmp_path, cache):
    before = keys(bucket)
    said = told("report", url, home=tmp_path, cache=cache)
    assert said.startswith(f"{url}/report.html: ")
    assert keys(bucket) - before == {"results/made/report.html"}
    assert b"<html" in content(bucket, "results/made/report.html")


@pytest.mark.parametrize(
    ("wanted", "there", "not_there"),
    [
        (is_board_file, "study.journal", "winner/model.safetensors"),
        (is_export_file, "winner/model.safetensors", "trials"),
        (is_model_file, "winner/model.onnx", "study.journal"),
    ],
)  # fmt: skip
def test_only_what_is_needed_is_brought(url, wanted, there, not_there):
    folder = open_results(url, wanted).folder
    assert (folder / there).is_file()
    assert not (folder / not_there).exists()


@pytest.mark.parametrize(
    ("name", "is_read"),
    [
        ("winner/model.onnx", True), ("winner/artefacts.json", True), ("model.onnx", True), ("artefacts.json", True),
        ("student/model.onnx", False), ("winner-1/model.onnx", False), ("winner/members/0/model.onnx", False),
        ("winner/model.pt2", False), ("search.json", False), ("trials/a/model.onnx", False),
    ],
)  # fmt: skip
def test_a_model_is_brought_from_a_search_or_from_its_own_folder(name, is_read):
    assert is_model_file(name) == is_read


def test_a_copy_follows_what_it_is_of(url, bucket):
    first = open_results(url)
    s3().put_object(Bucket=bucket, Key="results/made/leaderboard.csv", Body=b"new")
    s3().delete_object(Bucket=bucket, Key="results/made/winner/metrics.json")
    again = open_results(url)
    assert (again.folder / "leaderboard.csv").read_text() == "new"
    assert first.folder == again.folder
    assert not (again.folder / "winner" / "metrics.json").exists()


def test_an_earlier_search_at_a_url_warms_a_new_one(url, tmp_path):
    assert read_best_configs([url]) == read_best_configs([str(tmp_path / "made" / "made")]) != []


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("s3://no-such-bucket-anywhere/x", "folder 's3://no-such-bucket-anywhere/x': there is no bucket"),
        ("s3x://a/b", "'s3x://a/b': s3x:// is not one of"),
    ],
)
def test_what_cannot_be_read_is_one_line(place, said, bucket):
    with pytest.raises(UserError, match=said):
        open_results(place)


def test_a_url_without_a_search_is_one_line(bucket):
    with pytest.raises(UserError, match="holds no search"):
        open_results(f"s3://{bucket}/nothing")
