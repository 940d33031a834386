"""The file that `--print-config` prints: read back, it is the same search."""

import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from searchspace.cli.run_options import RunOptions
from searchspace.configuration.config_file import file_options, key_of
from searchspace.configuration.config_template import format_config
from searchspace.configuration.effective_options import effective_options
from searchspace.spec import SearchSpec, make_spec

RUN = {name: field.default for name, field in RunOptions.model_fields.items()}
FOLLOWING = {key_of(n) for n, f in SearchSpec.model_fields.items() if f.default_factory_takes_validated_data}
"""Keys of options whose default follows from others."""


def printed(**options):
    return format_config(effective_options(options.keys(), RUN | options))


@pytest.fixture
def read(tmp_path):
    """The specification that a file makes."""

    def read(text):
        (tmp_path / "search.yaml").write_text(text)
        effective = effective_options(set(), RUN | {"config": str(tmp_path / "search.yaml")})
        return make_spec(**{n: v for n, v in effective.values.items() if n in SearchSpec.model_fields} | {"name": "n"})

    return read


def test_every_option_is_there_with_its_default_and_its_meaning(read):
    text = printed()
    shown = re.findall(r"^#(\w+): ", text, re.M)
    assert sorted(shown) == sorted(key_of(name) for name in file_options())
    assert "# Epochs of a full trial.\n#max_epochs: 18\n" in text
    assert "# Early stopping. One of asha, pasha, median, none.\n" in text
    assert max(map(len, text.splitlines())) <= 100
    assert yaml.safe_load(text) is None
    assert read(text) == make_spec(name="n")


def test_the_defaults_read_back_are_the_defaults(read):
    lines = [re.sub(r"^#(\w+): ", r"\1: ", line) for line in printed().splitlines()]
    found = "\n".join(line for line in lines if line.partition(":")[0] not in {"name", "data", *FOLLOWING})
    assert len(yaml.safe_load(found)) > 50
    assert read(found).model_copy(update={"results": "results"}) == make_spec(name="n")


OPTIONS = st.fixed_dictionaries({}, optional={
    "trials": st.integers(1, 99), "models": st.lists(st.sampled_from(["convnet", "mlp"]), min_size=1, unique=True),
    "budget": st.sampled_from(["1h", "$20", "8gpuh", "1h30m"]), "time_budget": st.sampled_from(["90s", "2h"]),
    "pins": st.sampled_from([["lr=0.01"], ["optimizer=sgd", "batch_norm=False"]]),
    "label_column": st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=6),
    "group_by": st.sampled_from([r"(\d+)_", "no", "#x", "a: b", "'", "[", "null", "1e-3", "~"]),
    "audit": st.floats(0, 1), "max_drop": st.floats(0, 100), "gpus_per_worker": st.floats(0, 4),
    "distil": st.booleans(), "max_params": st.integers(1, 10**9), "scheduler": st.sampled_from(["none", "asha"]),
}).filter(lambda options: options.get("max_params") or not options.get("distil"))  # fmt: skip


def test_what_was_given_is_set_and_read_back(read):
    @settings(max_examples=15, deadline=None)
    @given(OPTIONS)
    def check(options):
        text = printed(**options)
        assert set(yaml.safe_load(text) or {}) == {key_of(name) for name in options}
        assert read(text) == make_spec(**options | {"name": "n"})

    check()


def test_no_secret_is_printed(monkeypatch):
    monkeypatch.setenv("DATA_TOKEN", "hunter22")
    text = printed(storage="postgresql://me:pass@host/studies", data="s3://bucket/photos?token=hunter22")
    assert "pass@" not in text
    assert "hunter22" not in text
    assert "storage: postgresql://me:***@host/studies\n" in text
