"""A record of somebody else's names hosts: a server that listens where they lead hears of nobody."""

import json
import shutil
import socket
import threading

import pytest

from searchspace.export import main as export_command  # noqa: F401  # so that no test pays for its imports
from searchspace.preparation.resume import load_resumed_spec, resume_arguments
from searchspace.sampling.warm_start import read_comparable_trials
from searchspace.spec import load_facts, make_spec
from tests.helpers.attacks.commands import READING, call
from tests.helpers.made_search import make_search
from trainables.common.errors import UserError
from trainables.config import TrialConfig
from trainables.data.store.recorded_data import find_prepared_store
from trainables.data.store.shared_store import share_store
from trainables.data.store.store import prepare_data
from trainables.export.model_info import MODEL_INFO
from trainables.storage.object_store.remote import check_recorded_location


@pytest.fixture
def listener(monkeypatch):
    """Address of a server that nobody may ask; the test fails if anybody connects."""
    for name, value in {
        "PGPASSWORD": "the reader's password", "AWS_ACCESS_KEY_ID": "reader", "AWS_SECRET_ACCESS_KEY": "secret",
        "PGCONNECT_TIMEOUT": "2",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        over = threading.Event()

        def listen():
            while not over.is_set():
                try:
                    caller, _ = server.accept()
                except TimeoutError:
                    continue
                with caller:
                    caller.settimeout(1)
                    heard.append(caller.recv(100))

        thread = threading.Thread(target=listen)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        over.set()
        thread.join()
    assert heard == []


@pytest.fixture
def found(tmp_path, digits):
    """Folder of a search that came from elsewhere."""
    return make_search(tmp_path / "found", digits, trials=3)


def changed(folder, change):
    """Let `change` change the record of the search in `folder`."""
    facts = load_facts(folder)
    change(facts)
    (folder / "search.json").write_text(json.dumps(facts))


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_no_password_goes_to_the_host_of_a_recorded_database(arguments, found, listener):
    changed(found, lambda facts: facts["spec"].update(storage=f"postgresql://x@{listener}/db"))
    done = call(arguments, found)
    assert done.refused_in_one_line, done
    assert f"postgresql://x@{listener}/db" in done.error
    assert "reader's password" not in done.error


@pytest.fixture
def winner(found, trained):
    """Folder of a foreign search's winner with weights, that export can begin with."""
    shutil.copytree(trained, found / "winner", dirs_exist_ok=True)
    return found / "winner"


def renamed(winner, **data):
    """Let the card of a winner say other things of its data."""
    card = json.loads((winner / MODEL_INFO).read_text())
    card["data"] |= data
    (winner / MODEL_INFO).write_text(json.dumps(card))


@pytest.mark.parametrize("place", ["shared", "origin"])
def test_no_credentials_go_to_the_host_of_recorded_data(place, winner, listener, tmp_path):
    url = f"s3://bucket/data?endpoint_override={listener}&scheme=http"
    there = {"path": str(tmp_path / "gone"), "fingerprint": "f" * 64, "origin": "flowers"}
    renamed(winner, **there | {place: url})
    done = call(("export", "--formats", "onnx"), winner.parent)
    assert done.refused_in_one_line, done
    assert "are not prepared on this machine; give them: --data FOLDER" in done.error


def test_images_of_any_folder_that_a_record_names_are_not_opened(winner, colour_folder, digits, tmp_path):
    """Neither a folder of images, nor a store that lies outside of the cache."""
    renamed(winner, origin=str(colour_folder), path=str(tmp_path / "gone"), fingerprint="f" * 64)
    assert "give them: --data FOLDER" in call(("export", "--formats", "onnx"), winner.parent).error
    store = tmp_path / "elsewhere"
    shutil.copytree(digits.path, store)
    (store / "summary.json").write_text(digits.model_copy(update={"fingerprint": "f" * 64}).model_dump_json())
    renamed(winner, path=str(store))
    done = call(("export", "--formats", "onnx"), winner.parent)
    assert done.refused_in_one_line, done
    assert "give them: --data FOLDER" in done.error


def test_a_recorded_store_does_not_take_the_place_of_a_known_set(winner, bucket, digits, tmp_path, monkeypatch):
    """The attacker's store at a URL, under the name that this machine gives the store of digits."""
    fake = tmp_path / "fake"
    shutil.copytree(digits.path, fake / digits.path.rpartition("/")[2])
    poison = digits.model_copy(update={"path": str(fake / digits.path.rpartition("/")[2]), "fingerprint": "e" * 64})
    (fake / digits.path.rpartition("/")[2] / "summary.json").write_text(poison.model_dump_json())
    shared = share_store(poison, f"s3://{bucket}/bait")
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "new-cache"))
    renamed(winner, path=digits.path, shared=shared.shared, fingerprint="e" * 64)
    done = call(("export", "--formats", "onnx"), winner.parent)
    assert done.refused_in_one_line, done
    assert find_prepared_store("e" * 64) is None
    assert prepare_data("digits").fingerprint == digits.fingerprint


def test_the_reader_says_where_recorded_data_are_and_they_are_checked(winner, colour_folder):
    renamed(winner, origin="/gone", path="/gone", fingerprint="f" * 64)
    done = call(("export", "--formats", "onnx"), winner.parent, "--data", str(colour_folder))
    assert done.refused_in_one_line, done
    assert f"--data '{colour_folder}': are not the images that the model was trained on" in done.error


def test_a_recorded_root_is_not_opened(winner, listener, tmp_path):
    root = f"s3://bucket/data?endpoint_override={listener}&scheme=http"
    renamed(winner, origin="/gone", path="/gone", fingerprint="f" * 64, options={"root": root})
    (tmp_path / "labels.csv").write_text("image,label\na.png,cat\nb.png,dog\n")
    done = call(("export", "--formats", "onnx"), winner.parent, "--data", str(tmp_path / "labels.csv"))
    assert done.refused_in_one_line, done
    assert "which no record may choose; put the table into the folder of its images" in done.error


@pytest.mark.parametrize(
    "place",
    [
        "s3://b/p?endpoint_override=evil", "s3://b/p?region=x&endpoint_override=evil", "s3://b/p?scheme=http",
        "s3://b/p?proxy_options=evil", "s3://b/p?region=evil.com/", "s3://b/p?access_key=k&secret_key=s",
        "s3://b/p?endpoint%5Foverride=evil", "gs://b/p?endpoint_override=evil", "s3://b/p?anonymous=true",
    ],
)  # fmt: skip
def test_a_recorded_url_chooses_no_host(place):
    with pytest.raises(ValueError, match="which no record may choose"):
        check_recorded_location(place)


@pytest.mark.parametrize("place", ["s3://b/p", "s3://b/p?region=eu-west-1", "gs://b/p", "/x?y=z", "digits"])
def test_a_recorded_place_without_a_host_is_kept(place):
    assert check_recorded_location(place) == place


def test_a_search_goes_on_with_the_host_that_is_typed_alone(found, listener):
    url = f"s3://b/images?endpoint_override={listener}"
    changed(found, lambda facts: facts["spec"].update(data=url))
    asked = {"results": str(found.parent)}
    with pytest.raises(UserError, match=r"--resume 'made': its data 's3://b/images\?endpoint_override=.*no record may"):
        load_resumed_spec("made", asked, set())
    spec = load_resumed_spec("made", asked | {"data": url}, {"data"})
    assert spec.data == url
    assert resume_arguments(spec)[-2:] == ["--data", url], "also where the command begins again by itself"


def test_an_earlier_search_at_a_recorded_host_is_left_out(listener, digits, tmp_path, logged):
    url = f"s3://b/earlier?endpoint_override={listener}&scheme=http"
    spec = make_spec(name="s", results=str(tmp_path), warm_start=[url])
    assert read_comparable_trials(spec, digits, resumed=True) == []
    assert "which no record may choose" in logged[0]


NAMES = ("hf-hub:evil/model", "hf_hub:evil/model", "local-dir:/etc", "timm/resnet18", "https://evil/x", "../x", "a b",
         "torchvision/../x", "file:///etc/passwd", "", "x" * 300, "resnet18.", "a\nb")  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_model_name_is_no_address(name):
    with pytest.raises(ValueError, match="model"):
        TrialConfig(model=name)


@pytest.mark.parametrize("name", ["hf-hub:evil/model", "local-dir:/tmp"])
def test_a_recorded_model_is_not_looked_for_elsewhere(name, winner):
    card = json.loads((winner / MODEL_INFO).read_text())
    card["config"]["model"] = name
    (winner / MODEL_INFO).write_text(json.dumps(card))
    done = call(("export", "--formats", "onnx"), winner.parent)
    assert done.refused_in_one_line, done
    assert "is no model's name; hubs, folders and URLs are not opened" in done.error


def test_every_name_that_can_be_searched_is_one():
    from trainables.config import check_model_name
    from trainables.models.model_registry import MODELS
    from trainables.models.pretrained import backbone_names

    names = [*MODELS, *backbone_names()]
    assert [check_model_name(name) for name in names] == names
