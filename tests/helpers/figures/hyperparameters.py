"""Rendered part of docs/spaces.md: each hyperparameter, its default, and what the default space draws it from."""

import optuna

from searchspace.preparation.preflight import DEFAULT_MODELS, GPU_MODELS
from searchspace.sampling.space_trial import Range
from searchspace.spaces import Task, default_space, draw_config
from tests.helpers.figures.records import Records
from trainables.config import TrialConfig
from trainables.data.store.data_summary import DataSummary

DRAWS = 300
"""Of each task; enough to see every branch of the default space."""
PHOTOGRAPHS = DataSummary(
    name="photographs", path="", origin="photographs", classes=("a", "b"), channels=3, height=256, width=256,
    aspect_kept=True, train=1_000_000, val=1_000, test=1_000, counts=(700_000, 300_000), mean=(0.5,) * 3, std=(0.2,) * 3,
    split="drawn", split_seed=0, leaked=0, fingerprint="",
)  # fmt: skip
"""Unbalanced colour photographs of several sizes: for them the default space has every hyperparameter."""


def hyperparameters(_records: Records) -> str:
    """A row for each field of `TrialConfig` that is a hyperparameter."""
    cpu, gpu = _ranges(DEFAULT_MODELS, gpu=False), _ranges((*DEFAULT_MODELS, *GPU_MODELS), gpu=True)
    lines = ["| name | default | default space draws from | what it is |", "|---|---|---|---|"]
    for name, field in TrialConfig.model_fields.items():
        if name in {"model", "custom"}:
            continue
        drawn = [_words(ranges[name]) if name in ranges else "" for ranges in (cpu, gpu)]
        meaning = " ".join(str(field.description).split())
        lines.append(f"| `{name}` | {_value(field.default)} | {_either(*drawn)} | {meaning} |")
    return "\n\n" + "\n".join(lines) + "\n\n"


def _ranges(models: tuple[str, ...], gpu: bool) -> dict[str, Range]:
    pretrained = frozenset(models) - {"convnet", "resnet"}
    task = Task(data=PHOTOGRAPHS, models=models, pretrained=pretrained, gpu=gpu)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    known: dict[str, Range] = {}
    for _ in range(DRAWS):
        draw_config(default_space, study.ask(), task, {}, known)
    return known


def _either(cpu: str, gpu: str) -> str:
    if cpu == gpu:
        return cpu
    return f"on a CPU {cpu or 'nothing'}; on a GPU {gpu or 'nothing'}"


def _words(found: Range) -> str:
    if found.kind == "choices":
        return ", ".join(map(_value, found.choices))
    return f"{found.low:g} to {found.high:g}" + (", log" if dict(found.options).get("log") else "")


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else f"`{value}`" if isinstance(value, str) else str(value)
