# `make search` and `make test` are all that a fresh clone needs: each installs into .venv first.
PYTHON ?= python3
BIN := .venv/bin
# What was tested is what is installed, next year too.
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# Name and version of each package, without what is only of this machine's build, such as +cpu.
INSTALLED = $(BIN)/pip list --format=freeze --exclude-editable --exclude pip --exclude setuptools | sed 's/+[a-z0-9.]*$$//'
# The search that README shows; a second `make search` goes on with it, or says that it is finished.
ARGS ?= $(if $(wildcard results/digits/search.json),--resume digits,--name digits) --trials 64

# Two processes; one runs a whole file, and all tests that share a search. Long groups first, as collected: unit tests fill the end.
PYTEST = $(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder

.PHONY: search quick test test-all lowest coverage browser servers check docs lock upgrade audit bench clean

search: .venv/installed
	$(BIN)/python -m searchspace.run $(ARGS)

# What to run after every change: lint, types and unit tests, in under a minute.
quick: .venv/installed-dev check
	$(PYTEST) -m "not slow and not gpu" tests/unit

test: .venv/installed-dev check
	$(PYTEST) -m "not slow and not gpu and not cluster and not browser"

test-all: .venv/installed-dev check browser servers coverage
	$(BIN)/python -m pytest -m "not gpu"

# The unit tests with the oldest versions that pyproject.toml allows of what it names, in an environment of their own
# (slow: it downloads them). What the tests alone need is as in constraints.txt, as far as the oldest versions let it.
LOWEST = .venv-lowest
lowest: .venv/installed-dev
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(LOWEST)
	$(BIN)/uv pip compile --quiet --python $(BIN)/python --resolution lowest-direct --no-annotate --no-header \
	    --extra cluster --extra heic --output-file $(LOWEST)/oldest.txt pyproject.toml
	$(BIN)/uv pip install --quiet --python $(LOWEST)/bin/python --constraint $(LOWEST)/oldest.txt --editable '.[dev]'
	$(LOWEST)/bin/python -m pytest -n 2 -m "not slow and not gpu" tests/unit

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

# The versions that the tests here run with, for others to install: cluster/requirements.lock for the container, by digest,
# for its Python, and torch as PyPI has it (with CUDA, where here may be one without); constraints.txt for `make` on any
# machine. `make upgrade lock` takes the newest versions of all.
COMPILE = echo 'setuptools>=77' | $(BIN)/uv pip compile --quiet --no-config --default-index https://pypi.org/simple \
	--python-version 3.11 --no-annotate --custom-compile-command 'make lock' --constraint .venv/installed.txt
lock: .venv/installed-dev
	$(INSTALLED) > .venv/installed.txt
	$(COMPILE) --python-platform x86_64-manylinux_2_28 --only-binary :all: --generate-hashes --extra cluster \
	    --output-file cluster/requirements.lock pyproject.toml -
	$(COMPILE) --universal --extra dev --output-file constraints.txt pyproject.toml -

upgrade: .venv/installed-dev
	$(BIN)/python -m pip install --quiet --upgrade --upgrade-strategy eager --editable '.[dev]'

bench: .venv/installed-dev
	$(BIN)/python tests/benchmarks/bench_search.py
	$(BIN)/python tests/benchmarks/figures.py

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) --editable .
	touch $@

.venv/installed-dev: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) --editable '.[dev]'
	touch $@ .venv/installed

clean:
	rm -rf .venv .venv-lowest build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
