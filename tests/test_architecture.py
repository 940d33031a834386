"""The house rules that the code itself can show."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RAY_MODULES = {
    "trainables/fault_reporter.py",
    "trainables/owners.py",
    "trainables/gang.py",
    "trainables/trainer.py",
    "trainables/watching.py",
    "trainables/worker.py",
    "searchspace/trial.py",
    "searchspace/search.py",
    "searchspace/searcher.py",
    "searchspace/scheduler.py",
    "searchspace/tuner.py",
    "trainables/preemption.py",
    "searchspace/cluster/connect.py",
    "searchspace/cluster/joined_ray.py",
    "searchspace/cluster/nodes.py",
    "searchspace/cluster/local_ray.py",
    "searchspace/home/reach.py",
    "trainables/loopback.py",
    "trainables/network.py",
    "searchspace/serve/model.py",
    "searchspace/clouds/aws.py",
    "searchspace/clouds/gcp.py",
    "searchspace/submit/head.py",
    "searchspace/submit/jobs.py",
}
LIGHT = (
    "spec", "options", "spaces", "study", "asking", "proof.audit", "leaderboard", "progress.screen", "seeds", "record",
    "run", "export", "tracking.runs", "tracking.finish", "tracking.beside", "proof.finals",
    "stopping.registry", "stopping.simulate", "sampling.samplers",
    "sampling.warm_start", "forecast.live", "forecast.page", "forecast.dry_run",
    "sampling.warm_start", "gate", "feasible", "pareto", "proof.verdict", "proof.wording", "proof.winner", "card.page",
    "proof.student", "proof.distil", "boards.student", "report.page", "shipped", "serve.app", "serve.listen",
    "serve.__main__", "clouds.fallback", "clouds.limits", "clouds.policies", "clouds.prepare_aws", "clouds.spot",
    "clouds.subnets", "submit.__main__",
)  # fmt: skip


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


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


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_import_neither_torch_nor_ray(module):
    code = (
        f"import sys, searchspace.{module}; print([m for m in ('torch', 'ray', 'mlflow', 'timm') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_files_hold_one_idea():
    long = {
        p.name: n
        for pk in ("searchspace", "trainables")
        for p in sources(pk)
        if (n := len(p.read_text().splitlines())) > 260
    }
    assert long == {}


def test_every_field_says_what_it_means():
    from searchspace.spec import SearchSpec
    from trainables.config import Assignment, EpochReport, TrialConfig
    from trainables.data.summary import DataSummary
    from trainables.metrics import TestMetrics

    for record in (TrialConfig, Assignment, EpochReport, SearchSpec, DataSummary, TestMetrics):
        assert [name for name, field in record.model_fields.items() if not field.description] == []


def test_a_search_is_planned_without_torch():
    code = """
import sys
from searchspace.plan import make_plan
from searchspace.cluster.placement import Node, Room
from searchspace.spec import make_spec
from trainables.data.store import prepare
make_plan(make_spec(name="x"), prepare("digits"), Room(nodes=(Node(cpus=2),)), print, {})
print([m for m in ("torch", "timm", "sklearn", "mlflow") if m in sys.modules])
"""
    subprocess.run([sys.executable, "-c", "from trainables.data.store import prepare; prepare('digits')"], check=True)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", "these take seconds to import, and a cold start is short"
