# `make search` and `make test` are all that a fresh clone needs: each installs into .venv first.
PYTHON ?= python3
BIN := .venv/bin
# Name and version of each package, without what is only of this machine's build, such as +cpu.
INSTALLED = $(BIN)/pip list --format=freeze --exclude-editable --exclude pip --exclude setuptools | sed 's/+[a-z0-9.]*$$//'
# The search that README shows; a second `make search` goes on with it, or says that it is finished.
ARGS ?= $(if $(wildcard results/digits/search.json),--resume digits,--name digits) --trials 64

# Two processes; one runs a whole file, and all tests that share a search. Long groups first, as collected: unit tests fill the end.
PYTEST = $(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder

.PHONY: search quick test test-all coverage browser servers check docs lock audit bench clean

search: .venv/installed
	$(BIN)/python -m searchspace.run $(ARGS)

# What to run after every change: lint, types and unit tests, in under a minute.
quick: .venv/installed-dev check
	$(PYTEST) -m "not slow and not gpu" tests/unit

test: .venv/installed-dev check
	$(PYTEST) -m "not slow and not gpu and not cluster and not browser"

test-all: .venv/installed-dev check browser servers coverage
	$(BIN)/python -m pytest -m "not gpu"

# Branches that the unit tests take; processes that they start are not seen.
coverage: .venv/installed-dev
	$(PYTEST) -q -m "not slow and not gpu" --cov --cov-report=term:skip-covered tests/unit

browser:
	command -v chromium && command -v chromedriver || apt-get install -y chromium chromium-driver

# What tests of clusters talk to: hosts of their own need root as well, and say so where there is none.
servers:
	command -v sshd && command -v rsync && command -v ip || apt-get install -y openssh-server rsync iproute2
	ls /usr/lib/postgresql/*/bin/initdb || apt-get install -y postgresql

check: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tests/benchmarks/figures.py --check

# Writes what documents have from the code (messages, the Python API) and from the records (figures).
docs: .venv/installed-dev
	$(BIN)/python -m tests.helpers.documents.write_pages
	$(BIN)/python tests/benchmarks/figures.py

# Asks PyPI for known advisories on what is installed here and what the container installs, so it needs a network. A
# package of which PyPI says nothing is a failure: without --strict it would pass as one without advisories.
audit: .venv/installed-dev
	$(INSTALLED) > .venv/installed.txt
	$(BIN)/pip-audit --strict --disable-pip --no-deps --requirement .venv/installed.txt
	$(BIN)/pip-audit --strict --disable-pip --require-hashes --requirement cluster/requirements.lock

# What the container installs: the versions that the tests here run with, for its Python, and torch as PyPI has it (with
# CUDA, where here may be one without).
lock: .venv/installed-dev
	$(INSTALLED) > .venv/installed.txt
	echo 'setuptools>=77' | $(BIN)/uv pip compile --quiet --no-config --default-index https://pypi.org/simple \
	    --python-version 3.11 --python-platform x86_64-manylinux_2_28 --only-binary :all: --generate-hashes --no-annotate \
	    --custom-compile-command 'make lock' --constraint .venv/installed.txt --extra cluster \
	    --output-file cluster/requirements.lock pyproject.toml -

bench: .venv/installed-dev
	$(BIN)/python tests/benchmarks/bench_search.py
	$(BIN)/python tests/benchmarks/figures.py

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/installed-dev: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@ .venv/installed

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
