"""Code that a record at a URL has: those who may write to a bucket try to have theirs run where a search is resumed."""

import json
import shutil
from pathlib import Path

import pytest

from searchspace.own_code.kept_code import write_code
from searchspace.own_code.resumed_code import register_kept_code
from searchspace.preparation.resume import load_resumed_spec
from searchspace.storage.open_results import is_export_file, open_results
from tests.helpers.own_models import MODEL, NET, write_net
from tests.helpers.servers.s3_server import s3
from trainables.common.errors import UserError
from trainables.custom.collect import collect
from trainables.custom.custom_code import CustomCode
from trainables.custom.register import register
from trainables.custom.source_modules import CODE_FOLDER, was_used_here
from trainables.models.model_registry import MODELS


@pytest.fixture(autouse=True)
def cwd(tmp_path, monkeypatch):
    """A laptop's working folder, a cache of its own, and no code that it knows."""
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    yield tmp_path / "work"
    register(CustomCode())


def marked(marker: Path) -> str:
    """A network whose file leaves a mark where it is run."""
    return f"open({str(marker)!r}, 'w').close()\n{NET}"


def upload(bucket: str, place: Path, text: str) -> CustomCode:
    """A search at the URL whose model is `text`, from a machine on which it was run."""
    code = collect([("model", write_net(place, text))])
    spec = {"name": "s", "models": ["convnet", MODEL], "results": f"s3://{bucket}/searches", "pins": {"heads": 4}}
    folder = place.parent / "uploaded"
    record = {"spec": spec, **write_code(folder, code)}
    (folder / "search.json").write_text(json.dumps(record))
    for path in folder.rglob("*.*"):
        s3().put_object(Bucket=bucket, Key=f"searches/s/{path.relative_to(folder)}", Body=path.read_bytes())
    return code


def forget(tmp_path: Path) -> None:
    """Be another machine, whose cache has no code."""
    shutil.rmtree(tmp_path / "cache" / CODE_FOLDER)
    (tmp_path / "ran").unlink()


def resume(bucket: str, **given: object):
    return load_resumed_spec("s", {"results": f"s3://{bucket}/searches"} | given, frozenset(given))


def test_code_at_a_url_is_not_run_and_the_remedy_is_said(bucket, tmp_path):
    upload(bucket, tmp_path / "theirs", marked(tmp_path / "ran"))
    forget(tmp_path)
    with pytest.raises(UserError, match=r"has code to run, .*my_net.py:build.*give --models my_net.py:build"):
        resume(bucket)
    with pytest.raises(UserError, match="has code to run"):
        register_kept_code(open_results(f"s3://{bucket}/searches/s", is_export_file), "s")
    assert not (tmp_path / "ran").exists()
    assert MODEL not in MODELS


def test_a_machine_that_ran_it_before_runs_it_again(bucket, tmp_path):
    code = upload(bucket, tmp_path / "mine", marked(tmp_path / "ran"))
    assert was_used_here(code.sources(code.parts[0]))
    spec = resume(bucket)
    assert spec.models == ("convnet", MODEL)
    assert spec.pins == {"heads": 4}
    assert MODELS[MODEL].function is not None


def test_who_names_the_same_code_again_runs_it(bucket, tmp_path, cwd):
    upload(bucket, tmp_path / "mine", marked(tmp_path / "ran"))
    forget(tmp_path)
    shutil.move(tmp_path / "mine", cwd / "elsewhere")
    assert resume(bucket, models=["elsewhere/my_net.py:build"]).models == ("convnet", MODEL)
    assert (tmp_path / "ran").exists()


def test_a_job_finds_it_in_its_own_package(bucket, tmp_path, cwd):
    upload(bucket, tmp_path / "mine", marked(tmp_path / "ran"))
    forget(tmp_path)
    for file in (tmp_path / "mine").glob("*.py"):
        shutil.move(file, cwd / file.name)
    assert resume(bucket).models == ("convnet", MODEL)


@pytest.mark.parametrize("where", ["named", "working folder"])
def test_a_file_that_was_added_beside_known_ones_is_not_run(bucket, tmp_path, cwd, where):
    evil = f"open({str(tmp_path / 'evil')!r}, 'w').close()\nname = 'posix'"
    code = upload(bucket, tmp_path / "mine", marked(tmp_path / "ran"))
    forget(tmp_path)
    more = {f"{code.parts[0].tree}/{name}.py": evil for name in ("torch", "searchspace")}
    changed = code.model_copy(update={"files": code.files | more})
    record = json.loads((tmp_path / "uploaded" / "search.json").read_text()) | write_code(tmp_path / "more", changed)
    (tmp_path / "more" / "search.json").write_text(json.dumps(record))
    for path in (tmp_path / "more").rglob("*.*"):
        key = f"searches/s/{path.relative_to(tmp_path / 'more')}"
        s3().put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
    place = tmp_path / "mine" if where == "named" else cwd
    for file in (tmp_path / "mine").glob("*.py") if place == cwd else ():
        shutil.copy(file, cwd / file.name)
    given = {"models": [f"{place}/my_net.py:build"]} if where == "named" else {}
    with pytest.raises(UserError, match="has code to run"):
        resume(bucket, **given)
    assert not (tmp_path / "evil").exists()
    assert not (tmp_path / "ran").exists()


def test_other_code_of_that_name_is_not_run(bucket, tmp_path, cwd):
    upload(bucket, tmp_path / "theirs", marked(tmp_path / "ran"))
    forget(tmp_path)
    write_net(cwd, marked(tmp_path / "ran").replace("8 * heads", "9 * heads"))
    with pytest.raises(UserError, match="has code to run"):
        resume(bucket)
    with pytest.raises(UserError, match=r"is not the code that search 's' was begun with"):
        resume(bucket, models=[f"{cwd}/my_net.py:build"])
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("path", ["../../evil.py", "/tmp/evil.py", "0/../../evil.py", "evil.py", "0/evil.sh"])
def test_a_path_that_leads_elsewhere_is_refused(bucket, tmp_path, path):
    record = {"spec": {"name": "s", "results": f"s3://{bucket}/searches"}, "code_sha256": {path: "0"}}
    s3().put_object(Bucket=bucket, Key="searches/s/search.json", Body=json.dumps(record).encode())
    with pytest.raises(UserError, match="is no path of a Python file in a source tree"):
        resume(bucket)
