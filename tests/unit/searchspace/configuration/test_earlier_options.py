"""`--like`: a new search with the options of an earlier one."""

from pathlib import Path

import pytest

from searchspace.cli.run_options import RunOptions
from searchspace.configuration.effective_options import effective_options
from searchspace.own_code.kept_code import write_code
from searchspace.preparation.absolute_paths import with_absolute_paths
from searchspace.preparation.record_at_url import replaced_options
from searchspace.spec import SearchSpec, make_spec, save_record
from trainables.common.errors import UserError
from trainables.custom.collect import collect

RUN = {name: field.default for name, field in RunOptions.model_fields.items()}


@pytest.fixture
def record(tmp_path, monkeypatch):
    """Makes an earlier search of some options, in results/ of the working folder."""
    monkeypatch.chdir(tmp_path)

    def record(name="early", **options):
        spec = with_absolute_paths(make_spec(name=name, **options))
        (tmp_path / "results" / name).mkdir(parents=True)
        save_record(tmp_path / "results" / name, spec, {"space_sha256": "0" * 64})
        return spec

    return record


def spec_like(place, **typed):
    """The specification of a new search like an earlier one, with what is typed beside."""
    effective = effective_options(typed.keys() | {"like"}, RUN | {"like": place} | typed)
    return make_spec(**{name: effective.values[name] for name in effective.values.keys() & SearchSpec.model_fields})


def test_a_new_search_has_the_options_of_the_earlier_one_and_its_own_name(record):
    known = record(data="photos", models="convnet,mlp", budget="1h", pins=["lr=0.1"], max_params="9", folds="3")
    spec = spec_like("early")
    assert spec.name != known.name
    assert spec.model_copy(update={"name": known.name}) == known
    assert spec_like("latest", name="x").model_copy(update={"name": known.name}) == known
    assert spec_like("results/early", name="x") == spec_like("early", name="x")


def test_what_is_typed_wins_and_defaults_follow_it(record):
    record(trials="7", max_epochs="5", pins=["lr=0.1", "width=8"], address="auto")
    spec = spec_like("early", max_epochs="1", preset="best", pins=["lr=0.2"])
    assert (spec.trials, spec.max_epochs, spec.grace_epochs, spec.finalists) == (7, 1, 1, 5)
    assert spec.pins == {"lr": 0.2, "width": 8}
    assert spec.address == "", "the cluster on which the earlier one ran is not this one's"
    record("plain")
    assert spec_like("plain", budget="1h").trials == make_spec(name="x", budget="1h").trials


def test_a_database_carries_over_without_its_password(record):
    record(storage="postgresql://me:secret@host/studies")
    assert spec_like("early").storage == "postgresql://me:***@host/studies"


def test_a_search_elsewhere_is_continued_beside_it(record, tmp_path, monkeypatch):
    record()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert spec_like("../results/early").results == str(tmp_path / "results")
    assert spec_like("../results/early", results="here").results == "here"


def test_there_must_be_such_a_search(record):
    record("early")
    with pytest.raises(UserError, match="holds no search"):
        spec_like("results/none")


def test_a_folder_that_others_can_write_to_decides_nothing(record, tmp_path):
    record()
    (tmp_path / "results" / "early" / "search.json").chmod(0o666)
    with pytest.raises(UserError, match="others can write to it"):
        spec_like("early")


def test_a_file_url_is_the_folder(record, tmp_path):
    record(trials="7")
    assert spec_like(f"file://{tmp_path}/results/early").trials == 7
    with pytest.raises(UserError, match=r"^--like 'ftp://x/y': "):
        spec_like("ftp://x/y")


def test_a_record_at_a_url_names_no_code_and_no_database(record):
    own, stored = record(space="my_space.py:space"), record("stored", storage="sqlite:///studies.db")
    with pytest.raises(UserError, match=r"^--like 'early': its record at a URL names code to run"):
        replaced_options(own, "0" * 64, {"address"}, "--like")
    assert replaced_options(own, "0" * 64, {"address", "space"}, "--like") == {}
    with pytest.raises(UserError, match="the record names a database"):
        replaced_options(stored, "", {"address"}, "--like")


def test_a_recorded_place_chooses_no_host_and_no_credentials(record, tmp_path):
    for option, place in (("data", "s3://bucket/x?endpoint_override=evil"), ("warm_start", ("s3://b/x?proxy=evil",))):
        known = record(option)
        save_record(tmp_path / "results" / option, known.model_copy(update={option: place}), {})
        with pytest.raises(UserError, match=rf"^--like '{option}': its {option}"):
            spec_like(option)


def test_own_code_is_taken_from_where_it_was_or_from_what_was_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net, space = tmp_path / "my_net.py", tmp_path / "my_space.py"
    net.write_text("def build(data, *, width=8):\n    return None\n")
    space.write_text("def space(trial, task):\n    return {}\n")
    spec = make_spec(name="early", models=f"convnet,{net}:build", space=f"{space}:space")
    code = collect([("model", f"{net}:build"), ("space", f"{space}:space")])
    folder = tmp_path / "results" / "early"
    folder.mkdir(parents=True)
    named = spec.model_copy(update={"models": ("convnet", "custom/my_net.build")})
    save_record(folder, named, write_code(folder, code))
    assert spec_like("early").models == spec.models
    assert spec_like("early").space == spec.space
    assert spec_like("early", models=["mlp"]).models == ("mlp",)
    net.unlink()
    space.unlink()
    found = spec_like("early")
    kept = Path(found.models[1].partition(":")[0])
    assert kept.read_text().startswith("def build(data")
    assert kept.is_relative_to(folder / "code")
    assert Path(found.space.partition(":")[0]).is_relative_to(folder / "code")
