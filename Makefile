# vcokit. `make demo` does the main job against the simulator; `make test` runs all tests.
# Each makes its own virtual environment; both need only Python >= 3.11 and the package index.
#
# Where the minutes of `make test` go (two cores): see docs/testing.md.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Where the home folder cannot be written, pip keeps nothing in it.
CACHE  := $(shell d="$${PIP_CACHE_DIR:-$${XDG_CACHE_HOME:-$$HOME/.cache}/pip}"; mkdir -p "$$d" 2>/dev/null && test -w "$$d" || echo --no-cache-dir)
# pip would compile one file after another. What the tests need is compiled on all cores, below.
INSTALL := $(BIN)/python -m pip --quiet --disable-pip-version-check install --no-build-isolation --no-compile $(CACHE)
PIP    := $(INSTALL) --constraint constraints.txt

# What builds this package and those that come as source. It is installed first, pinned as all else:
# a build in isolation would fetch the newest of it.
BACKEND := hatchling editables setuptools wheel

.PHONY: demo test coverage explore lint bench differential pictures crash probes browser campaign badinput mutants commands docs site notebooks pins clean

demo: $(VENV)/.core
	$(BIN)/vcokit demo

# The checks need one core, and Debian's Chromium hardly any: they come side by side.
test:
	$(MAKE) --no-print-directory -j 2 lint browser
	$(BIN)/python -m pytest -n auto --dist worksteal --durations 10

# Which lines the tests reach; fails below the part that pyproject.toml names. Counting lines doubles
# the time of the tests, so `make test` does without.
coverage: lint browser
	$(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report term

# The property tests with examples that were never drawn before; ARGS='tests/cidr' for some of them.
# `make test` draws the same ones each time. An example that fails belongs into its test.
explore: $(VENV)/.test
	$(BIN)/python -m pytest -n auto --dist worksteal --hypothesis-profile explore $(ARGS)

lint: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# The tests of the views look at them in Chromium. Where there is none, root gets it from Debian;
# elsewhere those tests are left out, and say so. CI leaves nothing out: there they fail.
browser:
	@there() { for name in chromium chromium-browser google-chrome google-chrome-stable chrome; do \
	  command -v $$name >/dev/null && return; done; return 1; }; \
	there || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium; }; \
	there || echo "There is no Chromium: the browser tests are left out. Install one: apt-get install chromium"

# One table: algebra, makespan and calls beside others. `make bench ARGS=makespan` for a part of it,
# ARGS=--help for sizes.
bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks $(ARGS)

# The audit against the simulator on 2,000 random inventories (`make test` plays 160 of them): two
# minutes on two cores; ARGS='--seeds 100000' for a night, ARGS='--seed 7' for one of them again.
differential: $(VENV)/.test
	$(BIN)/python -m tests.differential $(ARGS)

# The pictures of docs/plots.md, light and dark; half a minute. ARGS=--check says which are stale.
pictures: $(VENV)/.core
	$(BIN)/python docs/pictures.py $(ARGS)

# The documentation as a site, in out/site, without the network; half a minute.
site: $(VENV)/.test
	$(BIN)/python docs/make_site.py

# Runs every notebook from a clean kernel and writes it in place; two minutes. ARGS=03 for one.
notebooks: $(VENV)/.test
	$(BIN)/python notebooks/run.py $(ARGS)

# Rollouts over HTTP, killed with SIGKILL until N were, and resumed: about a second a kill.
N ?= 300
crash: $(VENV)/.test
	$(BIN)/python -m tests.crash --kills $(N) $(ARGS)

# Probes of random clouds, probes killed with SIGKILL, and rollouts beside their rehearsal on what a
# probe saw: WHAT=found, killed or forecast, N of them.
WHAT ?= found
probes: $(VENV)/.test
	$(BIN)/python -m tests.probe $(WHAT) --count $(N) $(ARGS)

# Damaged files of every kind and wrong arguments, N of each of nine kinds; `make test` plays 30.
badinput: $(VENV)/.test
	BADINPUT=$(N) $(BIN)/python -m pytest tests/cli/test_bad_input.py -q

# Pages and tables that the code knows best, and a new user's session, really run; tests compare them.
docs: $(VENV)/.core commands
	$(BIN)/python docs/rules.py
	$(BIN)/python docs/tables.py
	$(BIN)/python docs/transcript.py

# docs/commands.md, from the commands themselves; a test compares it.
commands: $(VENV)/.core
	$(BIN)/python docs/commands.py > docs/commands.md

# Rollouts in virtual time with everything that can go wrong: `make campaign SEEDS=100000` plays so
# many seeds on all cores; a seed that fails prints the command that plays it again. With
# ARGS=--fleets they are fleets.
SEEDS ?= 10000
campaign: $(VENV)/.test
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) $(ARGS)

# Changes the code in one place after another, by rule, and runs the tests that reach it: what no
# test notices is listed for a person to read. MUTANTS='vcokit.cidr.sets*' takes some minutes, all of
# them a night. `.venv/bin/mutmut show NAME` shows one.
MUTANTS ?= vcokit*
mutants: $(VENV)/.mutants
	$(BIN)/mutmut run '$(MUTANTS)'
	$(BIN)/mutmut results

# All pins, for every platform and Python: constraints.txt, and with the hashes of their files, of
# what `make demo` and `make test` install, pins/. `make test HASHES=1` takes those very files only.
# Versions stay as they are; ARGS=--upgrade for newer ones.
LOCK := uv pip compile --quiet --universal --python-version 3.11.5 --no-annotate --no-header
pins: $(VENV)/.python
	$(PIP) uv
	printf '%s\n' $(BACKEND) uv >$(VENV)/build.in
	$(BIN)/$(LOCK) $(ARGS) --all-extras pyproject.toml $(VENV)/build.in --output-file constraints.txt
	printf '%s\n' $(BACKEND) >$(VENV)/build.in
	$(BIN)/$(LOCK) --generate-hashes --constraint constraints.txt $(VENV)/build.in \
	  --output-file pins/build.txt
	$(BIN)/$(LOCK) --generate-hashes --no-strip-extras --constraint constraints.txt --extra test \
	  pyproject.toml --output-file pins/test.txt

clean:
	rm -rf $(VENV) out mutants .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.*

$(VENV)/.python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "vcokit needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(if $(HASHES),$(INSTALL) --require-hashes --requirement pins/build.txt)
	$(if $(HASHES),$(INSTALL) --require-hashes --requirement pins/test.txt)
	touch $@

$(VENV)/.core: pyproject.toml constraints.txt | $(VENV)/.python
	$(PIP) $(BACKEND)
	$(PIP) --editable .
	touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/.python
	$(PIP) $(BACKEND)
	$(PIP) --editable '.[test]'
	$(BIN)/python -m compileall -q -j 0 $(VENV)/lib
	touch $@ $(VENV)/.core

$(VENV)/.mutants: pyproject.toml constraints.txt | $(VENV)/.test
	$(PIP) --editable '.[mutants]'
	touch $@

$(VENV)/.bench: pyproject.toml constraints.txt | $(VENV)/.python
	$(PIP) $(BACKEND)
	$(PIP) --editable '.[bench]' && touch $@ || $(PIP) --editable . # one of the peers needs a C compiler; what is missing is said
