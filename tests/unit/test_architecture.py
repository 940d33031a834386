"""The house rules that the code itself can show."""

import subprocess
import sys

from tests.helpers.repository import ROOT, imported, sources

RAY_MODULES = {
    "trainables/workers/fault_reporter.py",
    "trainables/workers/gang_pool.py",
    "trainables/workers/trainer.py",
    "trainables/workers/worker.py",
    "trainables/trial.py",
    "trainables/workers/slot_client.py",
    "searchspace/engine/tune_adapter.py",
    "trainables/workers/preemption.py",
    "searchspace/cluster/connect.py",
    "searchspace/cluster/joined_ray.py",
    "searchspace/cluster/nodes.py",
    "searchspace/storage/node_access.py",
    "trainables/workers/process_group_backends.py",
    "trainables/workers/gang_resources.py",
    "trainables/ray_train_compat.py",
    "trainables/ray_compat.py",
    "searchspace/ray_compat.py",
    "searchspace/serving/deployment.py",
    "searchspace/cluster/submit/head_node.py",
    "searchspace/cluster/submit/jobs.py",
}
LIGHT = (
    "spec", "cli.options", "spaces", "study.study", "engine.suggest", "finals.audit", "leaderboard",
    "progress.live_screen", "engine.search_engine", "preparation.record", "run", "export", "tracking.runs",
    "tracking.final_upload", "tracking.background_upload", "finals.finals", "stopping.rules",
    "stopping.simulate_curves", "sampling.samplers", "sampling.warm_start", "forecast.live_forecast",
    "forecast.dry_run_table", "forecast.dry_run", "constraints.constraints", "constraints.feasibility",
    "reporting.tables.pareto", "finals.select_winner", "finals.formatting", "finals.winner",
    "reporting.model_card.card_file", "finals.choose_student", "finals.train_student",
    "reporting.tables.student_table", "reporting.html.report_file", "prediction.find_model", "serving.app",
    "serving.listen", "serve", "cluster.clouds.fallback", "cluster.clouds.cluster_limits", "cluster.clouds.policies",
    "cluster.clouds.prepare_aws", "cluster.clouds.spot", "cluster.clouds.subnets", "submit", "data",
    "reporting.data_page.data_page", "cleaning.__main__", "diagnosis.__main__",
    "completion.candidates", "configuration.effective_options",
)  # fmt: skip


def test_trainables_never_import_searchspace():
    offenders = [p for p in sources("trainables") if any(n.split(".")[0] == "searchspace" for n in imported(p))]
    assert sources("trainables")
    assert offenders == []


def test_only_the_edge_knows_ray():
    knowing = {
        path.relative_to(ROOT).as_posix()
        for package in ("searchspace", "trainables")
        for path in sources(package)
        if any(name.split(".")[0] == "ray" for name in imported(path))
    }
    assert knowing <= RAY_MODULES


def test_light_modules_import_neither_torch_nor_ray():
    code = f"""
import importlib, sys
for module in {LIGHT}:
    importlib.import_module(f"searchspace.{{module}}")
    heavy = [name for name in ("torch", "ray", "mlflow", "timm") if name in sys.modules]
    assert not heavy, f"searchspace.{{module}} imports {{heavy}}"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_files_hold_one_idea():
    long = {
        p.name: n
        for pk in ("searchspace", "trainables")
        for p in sources(pk)
        if (n := len(p.read_text().splitlines())) > 270
    }
    assert long == {}


def test_every_field_says_what_it_means():
    from searchspace.spec import SearchSpec
    from trainables.config import Assignment, EpochReport, TrialConfig
    from trainables.data.store.data_summary import DataSummary
    from trainables.metrics.class_metrics import TestMetrics

    for record in (TrialConfig, Assignment, EpochReport, SearchSpec, DataSummary, TestMetrics):
        assert [name for name, field in record.model_fields.items() if not field.description] == []


def test_a_search_is_planned_without_torch():
    code = """
import sys
from searchspace.preparation.plan import make_plan
from searchspace.cluster.placement import Node, Room
from searchspace.spec import make_spec
from trainables.data.store.store import prepare_data
make_plan(make_spec(name="x"), prepare_data("digits"), Room(nodes=(Node(cpus=2),)), {})
print([m for m in ("torch", "timm", "sklearn", "mlflow") if m in sys.modules])
"""
    subprocess.run(
        [sys.executable, "-c", "from trainables.data.store import store; store.prepare_data('digits')"], check=True
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", "these take seconds to import, and a cold start is short"
