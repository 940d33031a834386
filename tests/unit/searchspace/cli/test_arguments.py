"""Values of options as command-line arguments, and read back by the command line."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from searchspace.budget.budget import Budget
from searchspace.cli.arguments import to_arguments
from searchspace.cli.options import option_of, with_options
from searchspace.cli.run_options import RunOptions
from searchspace.leaderboard import ShowOptions
from searchspace.spec import SearchSpec, make_spec, parse_record
from trainables.common.errors import UserError
from trainables.export.exported_files import EXPORT_FORMATS
from trainables.metrics.metric_registry import METRICS

TEXT = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=8)
NAMES = st.lists(st.from_regex(r"[a-z0-9_./-]{1,8}", fullmatch=True), max_size=3, unique=True)
AMOUNT = st.floats(1e-9, 1e12)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "data": TEXT.filter(lambda text: text.strip() and "://" not in text),
    "results": st.from_regex(r"[a-z -]{1,9}x", fullmatch=True),
    "root": st.from_regex(r"[a-z -]{1,9}x", fullmatch=True),
    "name": st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,9}", fullmatch=True),
    "pins": st.fixed_dictionaries({}, optional={
        "lr": st.floats(1e-6, 1.0), "width": st.integers(4, 1024), "batch_norm": st.booleans(),
        "model": st.just("resnet"), "optimizer": st.sampled_from(["sgd", "muon"]),
    }),
    "metric": st.sampled_from(sorted(METRICS)),
    "objectives": st.sampled_from([["accuracy"], ["accuracy", "latency"]]),
    "formats": st.lists(st.sampled_from(sorted(EXPORT_FORMATS)), unique=True),
    "budget": st.builds(Budget, amount=AMOUNT, unit=st.sampled_from(["seconds", "dollars", "GPU-hours"])),
    "time_budget": st.just(0.0) | AMOUNT,
    "audit": st.floats(0, 1),
    "max_epochs": st.integers(10, 1_000_000),
    "grace_epochs": st.integers(1, 10),
    "patience": st.integers(10, 1_000),
    "store_side": st.integers(0, 4096),
    "folds": st.integers(0, 100),
    "reduction_factor": st.integers(2, 9),
    "gpus_per_worker": st.none() | st.floats(0, 8),
    "max_drop": st.floats(0, 100),
    "on_bad_image": st.sampled_from(["fail", "skip"]),
    "storage": st.just("sqlite:///a b.db"),
}  # fmt: skip
"""Values of options that are not all that their type has."""


ALSO = {"distil": {"max_params": 5}, "distil_epochs": {"distil": True, "max_params": 5}}
"""What an option is of use with."""


def values_of(record, name):
    """What an option may be given from Python."""
    field = record.model_fields[name]
    if name in VALUES:
        return VALUES[name]
    kinds = {bool: st.booleans(), int: st.integers(1, 1_000_000), float: st.floats(0.5, 1e9), str: TEXT}
    for kind, strategy in kinds.items():
        if field.annotation is kind or kind in getattr(field.annotation, "__args__", ()):
            return strategy
    literals = getattr(field.annotation, "__args__", ())
    return st.sampled_from(literals) if literals and all(isinstance(each, str) for each in literals) else NAMES


def option_names(record):
    return [name for name, field in record.model_fields.items() if option_of(field)]


@cache
def command_of(record):
    """A command with the options of a record, which returns what it was given."""
    found: list[dict[str, Any]] = []
    app = typer.Typer(add_completion=False)

    @app.command()
    @with_options(record)
    def take(given: frozenset[str], **options: Any) -> None:
        found.append({name: options[name] for name in given})

    return typer.main.get_command(app), found


def parse(record, arguments):
    """What the command line makes of the arguments."""
    command, found = command_of(record)
    command.main(arguments, standalone_mode=False)
    return found.pop()


@pytest.mark.parametrize("name", option_names(SearchSpec))
def test_every_option_of_a_search_is_read_back(name):
    @settings(max_examples=8, deadline=None)
    @given(values_of(SearchSpec, name))
    def check(value):
        values = {"name": "n"} | ALSO.get(name, {}) | {name: value}
        read = parse(SearchSpec, to_arguments(SearchSpec, values))
        assert make_spec(**read) == make_spec(**values)

    check()


@pytest.mark.parametrize("name", option_names(RunOptions))
def test_every_option_of_a_run_is_read_back(name):
    @settings(max_examples=8, deadline=None)
    @given(values_of(RunOptions, name))
    def check(value):
        read = parse(RunOptions, to_arguments(RunOptions, {name: value}))
        assert parse_record(RunOptions, read) == RunOptions(**{name: value})

    check()


def test_values_as_python_has_them():
    values = {
        "data": Path("a b"), "models": ["convnet", "resnet"], "budget": "1h", "pins": {"lr": 1e-3}, "distil": False,
        "reproducible": True, "max_params": None, "time_budget": 90,
    }  # fmt: skip
    assert to_arguments(SearchSpec, values) == [
        "--data", "a b", "--models", "convnet,resnet", "--budget", "1h", "--set", "lr=0.001", "--reproducible",
        "--time-budget", "90s",
    ]  # fmt: skip
    assert to_arguments(SearchSpec, {"pins": ["lr=0.1", "width=8"]}) == ["--set", "lr=0.1", "--set", "width=8"]
    assert to_arguments(ShowOptions, {"compare": ("3", "5"), "form": "csv"}) == [
        "--compare", "3", "5", "--format", "csv",
    ]  # fmt: skip


def test_a_password_is_on_no_command_line():
    arguments = to_arguments(SearchSpec, {"storage": "postgresql://me:secret@host/studies"})
    assert arguments == ["--storage", "postgresql://me:***@host/studies"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"trails": 3}, "did you mean 'trials'?"),
        ({"study": "s"}, "study='s': no such option"),
        ({"warm_start": ["a,b"]}, "--warm-start 'a,b': a command line has commas between names"),
    ],
)
def test_what_no_command_line_can_have_is_refused(values, said):
    with pytest.raises(UserError, match=r"no such option|commas") as refused:
        to_arguments(SearchSpec, values)
    assert said in str(refused.value)
