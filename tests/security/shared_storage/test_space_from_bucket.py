"""Whoever may write to a bucket tries to have code of theirs run where a search at that URL is resumed."""

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from searchspace.preparation.early_checks import check_early
from searchspace.preparation.resume import load_resumed_spec, resume_arguments
from searchspace.sampling.space_file import hash_file
from searchspace.spec import make_spec
from tests.helpers.repository import ROOT
from tests.helpers.servers.s3_server import s3
from trainables.common.errors import UserError

HONEST = "def space(trial, task): return {'model': 'convnet', 'lr': trial.suggest_float('lr', 1e-3, 1e-1)}\n"


@pytest.fixture
def cwd(tmp_path, monkeypatch) -> Path:
    """A laptop's working folder, and a cache of its own."""
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def evil(marker: Path) -> str:
    return f"open({str(marker)!r}, 'w').close()\n{HONEST}"


def upload(bucket: str, space: str, sha256: str, **files: str) -> None:
    """A search at the URL, whose record names a space; and other files beside the record."""
    record = {"spec": {"name": "s", "space": space, "results": f"s3://{bucket}/searches"}, "space_sha256": sha256}
    for name, text in ({"search.json": json.dumps(record)} | files).items():
        s3().put_object(Bucket=bucket, Key=f"searches/s/{name}", Body=text.encode())


def resume(bucket: str, **given: str) -> str:
    """The space of the search as `--resume` goes on with it; run, as it would be."""
    options = {"results": f"s3://{bucket}/searches"} | given
    spec = load_resumed_spec("s", options, frozenset(given))
    check_early(spec, resumed=True)
    return spec.space


def test_a_file_beside_the_record_is_not_run(bucket, cwd, tmp_path):
    marker = tmp_path / "ran"
    upload(bucket, "evil.py:space", "", **{"evil.py": evil(marker)})
    with pytest.raises(UserError, match="give --space"):
        resume(bucket)
    # Where the copy of the bucket lies, the attacker may guess.
    (copy,) = (tmp_path / "cache").rglob("evil.py")
    for sha256 in ("", hash_file(f"{copy}:space")):
        upload(bucket, f"{copy}:space", sha256, **{"evil.py": evil(marker)})
        with pytest.raises(UserError, match="give --space"):
            resume(bucket)
    assert not marker.exists()


@pytest.mark.parametrize("where", ["downloads", "work/results/theirs", "work/.venv/lib"])
def test_a_file_elsewhere_on_the_machine_is_not_run(where, bucket, cwd, tmp_path):
    marker, folder = tmp_path / "ran", tmp_path / where
    folder.mkdir(parents=True)
    (folder / "found.py").write_text(evil(marker))
    for name in (str(folder / "found.py"), str((folder / "found.py").relative_to(tmp_path)), "found.py"):
        upload(bucket, f"{name}:space", hash_file(f"{folder}/found.py:space"))
        with pytest.raises(UserError, match="give --space"):
            resume(bucket)
    assert not marker.exists()


def test_a_link_in_the_working_folder_is_not_followed(bucket, cwd, tmp_path):
    marker = tmp_path / "ran"
    (tmp_path / "target.py").write_text(evil(marker))
    (cwd / "mine.py").symlink_to(tmp_path / "target.py")
    upload(bucket, "mine.py:space", hash_file(f"{tmp_path}/target.py:space"))
    with pytest.raises(UserError, match="give --space"):
        resume(bucket)
    assert not marker.exists()


def test_ones_own_file_of_another_content_is_not_run(bucket, cwd, tmp_path):
    (cwd / "mine.py").write_text(evil(tmp_path / "ran"))
    for sha256 in ("", "0" * 64):
        upload(bucket, f"{cwd}/mine.py:space", sha256)
        with pytest.raises(UserError, match=r"names code to run.*give --space mine.py:space"):
            resume(bucket)
    assert not (tmp_path / "ran").exists()


def test_a_job_finds_its_space_in_its_own_package_and_anybody_may_name_it(bucket, cwd, tmp_path):
    (cwd / "mine.py").write_text(HONEST)
    upload(bucket, "/tmp/ray/session_1/runtime_resources/working_dir_files/_ray_pkg_1/mine.py:space",
           hash_file("mine.py:space"))  # fmt: skip
    assert resume(bucket) == f"{cwd}/mine.py:space"
    (tmp_path / "spaces").mkdir()
    shutil.move(cwd / "mine.py", tmp_path / "spaces" / "mine.py")
    given = f"{tmp_path}/spaces/mine.py:space"
    with pytest.raises(UserError, match="give --space"):
        resume(bucket)
    assert resume(bucket, space=given) == given


def test_the_command_that_goes_on_names_the_space_again():
    spec = make_spec(name="s", results="s3://b/r", space="/opt/mine.py:space")
    assert resume_arguments(spec) == ["--resume", "s", "--results", "s3://b/r", "--space", "/opt/mine.py:space"]
    more = spec.model_copy(update={"storage": "postgresql://me:***@h/db", "address": "ray://h:10001"})
    assert resume_arguments(more)[-4:] == ["--storage", "postgresql://me:***@h/db", "--address", "ray://h:10001"]
    assert resume_arguments(spec.model_copy(update={"address": "auto"})) == resume_arguments(spec)
    local = spec.model_copy(update={"results": "/srv/results"})
    assert "--space" not in resume_arguments(local), "an edited file would be refused"


def test_a_search_of_the_default_space_needs_nothing(bucket, cwd):
    upload(bucket, "", "")
    assert resume(bucket) == ""


@pytest.mark.parametrize(
    ("options", "passed"),
    [
        (["--trials", "9"], []),
        (["--space", "/opt/my spaces/mine.py:space", "--trials", "9"], ["--space", "/opt/my spaces/mine.py:space"]),
        (["--trials", "9", "--space=mine.py:space"], ["--space=mine.py:space"]),
        (["--storage", "postgresql://me:***@h/db", "--seed", "1"], ["--storage", "postgresql://me:***@h/db"]),
    ],
)
def test_what_tries_again_names_the_space_again(options, passed, tmp_path):
    (tmp_path / "bin").mkdir()
    stub = """#!/bin/bash\n[[ $2 == *contents ]] && echo begun || printf '%q ' "$@"\n"""
    (tmp_path / "bin" / "python").write_text(stub)
    (tmp_path / "bin" / "python").chmod(0o755)
    done = subprocess.run(
        ["bash", str(ROOT / "cluster" / "go_on.sh"), str(tmp_path / "r"), "s", *options],
        env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    words = shlex.split(done.stdout)
    assert words[words.index("--resume") :] == ["--resume", "s", *passed]
