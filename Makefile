# vcokit. `make demo` does the main job against the simulator; `make test` runs all tests.
# Each makes its own virtual environment; both need only Python >= 3.11 and the package index.
#
# Where the minutes of `make test` go (two cores): see docs/testing.md.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check install --constraint constraints.txt

.PHONY: demo test lint bench differential pictures crash badinput commands clean

demo: $(VENV)/.core
	$(BIN)/vcokit demo

test: lint
	$(BIN)/python -m pytest -n auto --dist worksteal --durations 10 --cov --cov-report term

lint: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

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

# Rollouts over HTTP, killed with SIGKILL until N were, and resumed: about a second a kill.
N ?= 300
crash: $(VENV)/.test
	$(BIN)/python -m tests.crash --kills $(N) $(ARGS)

# Damaged files of every kind and wrong arguments, N of each of nine kinds; `make test` plays 225.
badinput: $(VENV)/.test
	BADINPUT=$(N) $(BIN)/python -m pytest tests/cli/test_bad_input.py -q

# docs/commands.md, from the commands themselves; a test compares it.
commands: $(VENV)/.core
	$(BIN)/python docs/commands.py > docs/commands.md

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
	touch $@ $(VENV)/.core

$(VENV)/.bench: pyproject.toml constraints.txt | $(VENV)/.python
	$(PIP) --editable '.[bench]' && touch $@ || $(PIP) --editable . # one of the peers needs a C compiler; what is missing is said
