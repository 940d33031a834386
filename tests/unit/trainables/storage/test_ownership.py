"""Results that others can write to are not gone on from."""

import os
import sys

import pytest

from searchspace.cli.command import run_command
from searchspace.run import main
from trainables.common.errors import UserError
from trainables.storage.ownership import check_owned, restrict_to_owner


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "results" / "mine"
    (found / "trials" / "trial-1" / "checkpoints").mkdir(parents=True)
    for name in ("search.json", "study.journal", "trials/trial-1/checkpoints/checkpoint.json"):
        (found / name).write_text("{}")
        (found / name).chmod(0o644)
    for path in (found, *found.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
    return found


def test_ones_own_folder_is_fine(folder):
    check_owned(folder)
    check_owned(folder / "nothing")


@pytest.mark.parametrize("name", ["", "search.json", "study.journal", "trials/trial-1/checkpoints"])
@pytest.mark.parametrize("mode", [0o020, 0o002])
def test_what_others_can_write_is_refused_with_its_mode_and_the_remedy(folder, name, mode):
    path = folder / name
    path.chmod(path.stat().st_mode | mode)
    with pytest.raises(UserError) as refused:
        check_owned(folder)
    said = str(refused.value)
    assert repr(str(path)) in said
    assert f"mode 0{path.stat().st_mode & 0o777:o}" in said
    assert said.endswith(f"chmod -R go-w {folder}")
    assert "\n" not in said


def test_the_remedy_mends_it(folder):
    folder.chmod(0o777)
    with pytest.raises(UserError) as refused:
        check_owned(folder)
    assert os.system("chmod" + str(refused.value).rpartition("chmod")[2]) == 0
    check_owned(folder)


def test_a_link_out_of_the_folder_is_as_good_as_what_it_leads_to(folder, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("{}")
    outside.chmod(0o666)
    (folder / "link").symlink_to(outside)
    with pytest.raises(UserError, match="link"):
        check_owned(folder)
    outside.chmod(0o644)
    check_owned(folder)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_what_belongs_to_another_user_is_refused(folder):
    os.chown(folder / "study.journal", 12345, -1)
    with pytest.raises(UserError, match="belongs to user 12345"):
        check_owned(folder)


def test_resume_refuses_such_a_folder_before_it_reads_it(folder, monkeypatch, capsys):
    (folder / "search.json").write_text("this would be an error of its own")
    (folder / "search.json").chmod(0o666)
    arguments = ["run", "--results", str(folder.parent), "--resume", "mine", "--revive", "1"]
    monkeypatch.setattr(sys, "argv", arguments)
    umask = os.umask(0o022)
    with pytest.raises(SystemExit) as stopped:
        run_command(main)
    os.umask(umask)
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "others can write to it (mode 0666)" in line


def test_what_is_made_after_keeping_to_the_owner_passes(tmp_path):
    before = os.umask(0o002)
    try:
        restrict_to_owner()
        made = tmp_path / "made"
        made.mkdir()
        (made / "search.json").write_text("{}")
        check_owned(made)
    finally:
        os.umask(before)
