# `make search` and `make test` are all that a fresh clone needs: each installs into .venv first.
PYTHON ?= python3
BIN := .venv/bin
# The search that README shows; a second `make search` goes on with it, or says that it is finished.
ARGS ?= $(if $(wildcard results/digits/search.json),--resume digits,--name digits) --trials 64

.PHONY: search test test-all browser servers check audit bench clean

search: .venv/installed
	$(BIN)/python -m searchspace.run $(ARGS)

test: .venv/installed-dev check
	$(BIN)/python -m pytest -m "not slow and not gpu and not cluster and not browser"

test-all: .venv/installed-dev check browser servers
	$(BIN)/python -m pytest -m "not gpu"

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

# Asks PyPI for known advisories on what is installed, so it needs a network; no other target does once installed.
audit: .venv/installed-dev
	$(BIN)/pip-audit --local --skip-editable

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
