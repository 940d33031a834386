"""MLflow out of reach costs a warning."""

from searchspace.sampling.samplers import make_sampler
from searchspace.spec import make_spec, save_record
from searchspace.study import create_study, flush_study
from searchspace.tracking import LOG, tracked


def test_a_dead_tracking_server_costs_a_warning_and_nothing_else(tmp_path, monkeypatch):
    spec = make_spec(name="s", results=str(tmp_path))
    flush_study(create_study(spec, make_sampler(spec, "random")))
    save_record(spec.folder, spec, {"started": "2026-01-01T00:00:00+00:00"})
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    said: list[str] = []
    with tracked(spec, said.append):
        done = "the search"
    assert done == "the search"
    (line,) = said
    assert line.startswith("warning: MLflow")
    assert "127.0.0.1" in (spec.folder / LOG).read_text()
