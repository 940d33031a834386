"""Wrong values at every option of every command: one line that says what is allowed, in no library's words."""

import importlib
import sys
from collections.abc import Iterator

import pytest

from searchspace.cli.command import run_command
from searchspace.cli.options import Option, flag_of
from searchspace.cli.run_options import RunOptions
from searchspace.predict import run as run_predict
from searchspace.spec import SearchSpec, parse_record
from tests.helpers.made_search import make_search
from trainables.common.errors import UserError
from trainables.config import Frozen, TrialConfig

COMMANDS = {
    "run": (), "data": ("digits",), "leaderboard": ("{search}",), "replay": ("{search}",), "export": ("{search}",),
    "serve": ("{search}",), "submit": (), "cluster.clouds.prepare_aws": (),
}  # fmt: skip
"""Commands by module, and what must stand in front of their options."""
WRONG = (
    "", " ", "many", "-1", "0", "1.5", "1e3", "nan", "inf", "-inf", "9" * 400, "a,b", "bayes", "None", "x" * 300, "é",
    "s3://", "ftp://x/y", "s3://me:secret@bucket/x", "[1]", "{}", "=", "0x10", "1,5", "--", "10 m",
)  # fmt: skip
NOT_OURS = (
    "pydantic", "input should be", "traceback", "validation error", "valueerror", "typeerror", "unable to parse",
    "errno", "click", "argument type", "_count", "nonetype", "<class", "sklearn", "test_size",
)  # fmt: skip
"""What no message may hold."""
OTHER_WRONG = {
    "--models": ("nonsense", "torchvision/nonsense"),
    "--set": ("width", "width=", "=3", "width=x", "nonsense=1", "model=", "lr=-1", "tta=maybe"),
    "--space": ("nonsense", "nonsense:space", "/dev/null:space", ":", "x.py:"),
    "--data": ("nonsense", "/dev/null", "~/nonsense", "x" * 300, "ftp://x/y", "s3://"),
    "--storage": ("nonsense", "sqlite", "postgresql://"),
    "--warm-start": ("nonsense", "/dev/null", "~/nonsense"),
    "--name": ("a/b", "-x", "é", "x" * 300, " "),
    "--config": ("nonsense", "/dev/null/x", "~", "."),
    "--like": ("nonsense", "/dev/null", "a/b", "~"),
    "--resume": ("nonsense", "/dev/null", "a/b", "~"),
    "--revive": ("0", "7"),
    "--address": ("nonsense", "127.0.0.1:1"),
    "--formats": ("nonsense", "onnx,nonsense"),
    "--objectives": ("nonsense", "latency"),
}  # fmt: skip
"""Texts that a record takes and something later refuses."""


def records(kind: type[Frozen] = Frozen) -> Iterator[type[Frozen]]:
    """Every record that is a part of a command line."""
    for module in COMMANDS:
        importlib.import_module(f"searchspace.{module}")
    for record in kind.__subclasses__():
        if any(isinstance(found, Option) for field in record.model_fields.values() for found in field.metadata):
            yield record
        yield from records(record)


def options(record: type[Frozen]) -> list[str]:
    fields = record.model_fields.items()
    return [name for name, field in fields if any(isinstance(found, Option) for found in field.metadata)]


CASES = sorted({(record, name) for record in records() for name in options(record)}, key=str)


def check_line(said: str) -> None:
    """One line of ours."""
    (line,) = said.strip().splitlines()
    found = [word for word in NOT_OURS if word in line.casefold()]
    assert found == [], line


def refused(record: type[Frozen], name: str) -> dict[str, str]:
    """Texts that the record refuses for its field, and what it says."""
    found = {}
    for text in WRONG:
        try:
            parse_record(record, {name: [text] if name == "pins" else text})
        except UserError as error:
            found[text] = str(error)
    return found


def test_all_options_are_looked_at():
    assert {SearchSpec, RunOptions} < {record for record, _ in CASES}
    assert len(CASES) > 60


@pytest.mark.parametrize(("record", "name"), CASES, ids=lambda part: getattr(part, "__name__", part))
def test_a_record_refuses_in_one_line_of_our_words(record, name):
    for text, said in refused(record, name).items():
        check_line(said)
        assert said.startswith(flag_of(record, name)), said
        assert (text in said) or repr(text)[1:-1] in said, "the value is there"
    annotation = record.model_fields[name].annotation
    if annotation in {int, float, int | None, float | None}:
        assert {"many", "nan", "inf", "[1]"} & set(refused(record, name)), "numbers are numbers"


@pytest.mark.parametrize("name", TrialConfig.model_fields)
def test_a_pin_is_refused_in_one_line_of_our_words(name, tmp_path, monkeypatch, capsys):
    for text in ("", "nonsense" if name != "model" else "", "-1" if name != "model" else ""):
        check_line(typed(monkeypatch, capsys, tmp_path, "run", "--set", f"{name}={text}"))


@pytest.mark.parametrize("module", COMMANDS)
def test_a_command_refuses_in_one_line_and_exits_with_2(module, tmp_path, monkeypatch, capsys, digits):
    before = [part.format(search=make_search(tmp_path / "results", digits, trials=2)) for part in COMMANDS[module]]
    command = importlib.import_module(f"searchspace.{module}").main
    taken = set(command.__signature__.parameters)
    checked = 0
    for record, name in CASES:
        if name not in taken:
            continue
        for text in list(refused(record, name))[:3]:
            value = [text, text] if "tuple[str, str]" in str(record.model_fields[name].annotation) else [text]
            check_line(typed(monkeypatch, capsys, tmp_path, module, *before, flag_of(record, name), *value))
            checked += 1
    assert checked or module in {"submit"}


@pytest.mark.parametrize(("flag", "text"), [(flag, text) for flag, texts in OTHER_WRONG.items() for text in texts])
def test_what_a_record_takes_is_refused_later_in_one_line_as_well(flag, text, tmp_path, monkeypatch, capsys, digits):
    """The last option is one that no network meets, which is found last of all, so that nothing ever begins."""
    never = [] if flag in {"--resume", "--revive"} else ["--max-params", "1"]
    said = typed(monkeypatch, capsys, tmp_path, "run", flag, text, *never)
    check_line(said)
    assert said.startswith((f"error: {flag}", f"error: {str(text)!r}", "error: 'results/")), "it is named"


@pytest.mark.parametrize("arguments", [("--top", "many"), ("--top", "0"), ("--batch", "1.5"), ("--format", "xml")])
def test_predict_refuses_alike(arguments, capsys):
    assert run_predict(["model.onnx", "image.png", *arguments]) == 2
    said = capsys.readouterr().err
    check_line(said)
    assert said.startswith(f"error: {arguments[0]} '{arguments[1]}': ")


def typed(monkeypatch, capsys, place, module, *arguments) -> str:
    """What a command says that was typed wrongly, after some checks."""
    monkeypatch.chdir(place)
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    with pytest.raises(SystemExit) as stopped:
        run_command(importlib.import_module(f"searchspace.{module}").main)
    said = capsys.readouterr().err
    assert stopped.value.code == 2, (arguments, said)
    assert said.startswith("error: "), said
    return said
