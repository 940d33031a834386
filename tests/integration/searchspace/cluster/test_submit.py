"""Submitting a search, up to where a cluster would be asked: what is checked here, and what would go along."""

from datetime import UTC, datetime

import pytest

from searchspace.cluster.submit import package
from searchspace.cluster.submit.fetch import fetch
from searchspace.cluster.submit.job_request import JobRequest, parse_job_request
from searchspace.cluster.submit.jobs import Job
from searchspace.cluster.submit.package import package_job
from searchspace.cluster.submit.submit_options import SubmitOptions
from searchspace.spec import make_spec, save_record
from tests.helpers.module_commands import call
from tests.helpers.servers.s3_server import s3
from trainables.common.errors import UserError

CLUSTER = ("--address", "http://127.0.0.1:1")
"""Where nobody listens."""


def order_of(*arguments: str) -> JobRequest:
    order = parse_job_request([*arguments, "--results", "s3://bucket/r"])
    assert order is not None
    return order


def test_the_search_gets_its_name_here_and_its_cluster_there():
    order = order_of("--data", "cifar10", "--trials", "64")
    assert order.search.startswith("cifar10-20")
    written = ["--data", "cifar10", "--trials", "64", "--address", "auto", "--name", order.search]
    assert order.arguments == (*written, "--results", "s3://bucket/r")
    assert order_of("--name", "mine").search == "mine"


def test_options_of_every_kind_are_written_as_they_were_meant():
    order = order_of(
        "--name", "a", "--distil", "--max-params=5000", "--set", "lr=0.1", "--set", "width=16", "--audit", ".5"
    )
    text = " ".join(order.arguments)
    assert "--set lr=0.1 --set width=16" in text
    assert "--audit .5" in text
    assert "--max-params 5000 --distil " in text
    again = parse_job_request(order.arguments[: order.arguments.index("--address")] + order.arguments[-4:])
    assert again == order, "what was written means the same"


def test_options_of_a_file_and_of_an_earlier_search_go_along_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "search.yaml").write_text("name: b\ntrials: 9\nset: {lr: 0.1, width: 8}\nreproducible: true\n")
    order = order_of("--config", "search.yaml", "--trials", "7", "--set", "width=16")
    text = " ".join(order.arguments)
    assert order.search == "b"
    assert "--config" not in text
    assert "--trials 7 " in text
    assert "--set lr=0.1 --set width=16 --reproducible" in text
    earlier = make_spec(name="a", budget="90m", models="mlp")
    save_record(tmp_path / "results" / "a", earlier, {})
    like = order_of("--like", str(tmp_path / "results" / "a"))
    assert like.arguments[:4] == ("--models", "mlp", "--budget", "5400s")
    with pytest.raises(UserError, match="--print-config: prints a file"):
        order_of("--print-config")


def test_a_resumption_names_its_search_and_nothing_that_it_is():
    order = order_of("--resume", "first", "--trials", "96")
    assert order.search == "first"
    assert "--name" not in order.arguments
    with pytest.raises(UserError, match=r"--max-epochs: is part of what search 'first' is"):
        order_of("--resume", "first", "--max-epochs", "3")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--data", "photos"), "--data 'photos': is of this machine; give a URL such as s3://BUCKET/FOLDER, or an"),
        (("--warm-start", "results/a"), "--warm-start 'results/a': is of this machine"),
        (("--results", "results"), "--results 'results': is of this machine"),
        (("--address", "auto"), "--address 'auto': the search runs on its job's own cluster"),
        (("--space", "none.py:space"), "--space 'none.py:space': expected FILE.py:FUNCTION"),
        (("--revive", "3"), "--revive 3: give --resume NAME too"),
        (("--grace-epochs", "50"), "--grace-epochs 50: is more than --max-epochs 18"),
    ],
)
def test_what_means_nothing_elsewhere_is_refused(arguments, said):
    with pytest.raises(UserError) as error:
        parse_job_request(["--results", "/shared", *arguments])
    assert str(error.value).startswith(said)


def test_a_password_does_not_get_into_a_dashboard():
    with pytest.raises(UserError) as error:
        order_of("--storage", "postgresql://me:sesame@host/db")
    assert "sesame" not in str(error.value)
    assert "SEARCHSPACE_STORAGE" in str(error.value)
    assert "postgresql://me:***@host/db" in order_of("--storage", "postgresql://me:***@host/db").arguments


def test_code_and_named_files_go_along_and_nothing_else(tmp_path):
    (tmp_path / "spaces").mkdir()
    (tmp_path / "spaces" / "mine.py").write_text("def space(trial, task): ...")
    (tmp_path / "helper").mkdir()
    (tmp_path / "helper" / "values.py").write_text("")
    order = order_of("--name", "a", "--space", f"{tmp_path}/spaces/mine.py:space")
    assert order.arguments[order.arguments.index("--space") + 1] == "mine.py:space"
    with package_job(order, [str(tmp_path / "helper")]) as folder:
        assert {path.name for path in folder.iterdir()} == {"searchspace", "trainables", "mine.py", "helper"}
        assert (folder / "searchspace" / "reporting" / "html" / "assets" / "page.html").is_file()
        assert not list(folder.rglob("__pycache__"))
    assert not folder.exists()


def test_an_own_model_goes_along_with_what_it_imports(tmp_path):
    (tmp_path / "nets" / "parts").mkdir(parents=True)
    (tmp_path / "nets" / "parts" / "block.py").write_text("")
    (tmp_path / "nets" / "side.py").write_text("")
    (tmp_path / "nets" / "mine.py").write_text("import parts.block, side\ndef build(data, *, heads): ...")
    order = order_of("--name", "a", "--models", f"convnet,{tmp_path}/nets/mine.py:build", "--set", "heads=4")
    assert order.arguments[order.arguments.index("--models") + 1] == "convnet,mine.py:build"
    with package_job(order, []) as folder:
        names = {path.name for path in folder.iterdir()}
        assert names == {"searchspace", "trainables", "mine.py", "side.py", "parts"}
    again = order_of("--resume", "a", "--models", f"{tmp_path}/nets/mine.py:build")
    assert again.code == order.code


def test_what_cannot_go_along_is_said(tmp_path, monkeypatch):
    order = order_of("--name", "a")
    (tmp_path / "searchspace").mkdir()
    with (
        pytest.raises(UserError, match="something else of that name"),
        package_job(order, [str(tmp_path / "searchspace")]),
    ):
        pass
    with pytest.raises(UserError, match=r"--ship 'none.py': no such file"), package_job(order, ["none.py"]):
        pass
    monkeypatch.setattr(package, "MAX_PACKAGE_MB", 0.001)
    with pytest.raises(UserError, match="MB to send"), package_job(order, []):
        pass


WRONG = {
    (): "which cluster? give either --cluster FILE.yaml",
    ("--cluster", "a.yaml", *CLUSTER): "which cluster? give either --cluster FILE.yaml",
    ("--address", "ray://head:10001", "status"): "expected the dashboard's URL, such as http://127.0.0.1:8265",
    CLUSTER: "nothing to do; write the options of a search after --, or one of status, logs, stop, fetch",
    (*CLUSTER, "stats"): "'stats': no such action; write",
    (*CLUSTER, "stop"): "stop: takes the name of a search",
    (*CLUSTER, "status"): "--address 'http://127.0.0.1:1': no dashboard answers there",
    (*CLUSTER, "--", "--trials", "6", "--results", "/shared"): "--address 'http://127.0.0.1:1': no dashboard answers",
    (*CLUSTER, "--env", "NOT_SET", "--", "--results", "/shared"): "--env 'NOT_SET': is not set here",
    (*CLUSTER, "--", "--trials", "many"): "--trials 'many': expected a whole number from 1 to 1000000",
    (*CLUSTER, "--", "--schedular", "asha"): "--schedular: no such option; did you mean '--scheduler'?",
    ("--cluster", "none.yaml", "status"): "--cluster 'none.yaml': [Errno 2] No such file or directory",
    ("--cluster", "pyproject.toml", "status"): "--cluster 'pyproject.toml': ",
    ("--cluster", ".pre-commit-config.yaml", "status"): "is no file for ray up",
}


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_an_error_is_one_line(arguments):
    done = call("submit", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert WRONG[arguments] in line


def test_the_search_s_own_help_is_shown_without_a_cluster():
    done = call("submit", *CLUSTER, "--", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--trials" in done.stdout
    assert "--max-epochs" in call("submit", *CLUSTER, "--", "--help-all").stdout


def test_a_shipped_search_knows_its_commit(monkeypatch, tmp_path):
    from searchspace.preparation import record

    monkeypatch.setattr(record, "__file__", str(tmp_path / "searchspace" / "preparation" / "record.py"))
    monkeypatch.setenv(record.COMMIT_VARIABLE, "abc123+changes")
    assert record.git_commit() == "abc123+changes"


def test_results_at_a_url_are_fetched_but_for_checkpoints(bucket, tmp_path):  # the fixture
    for key in ("study.journal", "winner/model.onnx", "trials/trial-0/checkpoints/epoch-00001.safetensors"):
        s3().put_object(Bucket=bucket, Key=f"r/mine/{key}", Body=key.encode())
    job = Job(
        id="mine", search="mine", results=f"s3://{bucket}/r", again="", state="RUNNING", message="",
        started=datetime.now(UTC), exit_code=None,
    )  # fmt: skip
    here = fetch(job, SubmitOptions(address="http://127.0.0.1:1"), tmp_path / "here")
    found = {path.relative_to(here).as_posix(): path.read_text() for path in here.rglob("*") if path.is_file()}
    assert found == {name: name for name in ("study.journal", "winner/model.onnx")}
