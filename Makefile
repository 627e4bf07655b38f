# Everything a contributor runs. Each target sets up what it needs in .venv, from a clean clone, and is quick the next time.
#   make demo     audit the bundled sample run and print where the report is
#   make test     run every test (browser, compiler and container tests where the machine has what they need)
#   make lint     check code, types, workflows, action.yml, Dockerfile and shell scripts
#   make bench    print the benchmarks' tables
#   make golden   write the golden files anew; review the difference before committing it
#   make lock     renew the pinned, hashed requirements of the container image
#   make clean    remove what these targets made

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell bash scripts/find_python.sh)
# A machine with several cores runs one worker a core; PYTEST_ARGS narrows the run: make test PYTEST_ARGS="tests/model -x"
PYTEST_ARGS ?= -n auto --dist loadfile

export PIP_DISABLE_PIP_VERSION_CHECK := 1
PIP := $(BIN)/python -m pip install -qq --prefer-binary

.PHONY: help demo test lint bench golden lock clean

help:
	@sed -n 's/^#   //p' Makefile

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "ecoaudit needs Python 3.11 or newer (Debian and Ubuntu: apt-get install python3 python3-venv)" >&2; exit 2; }
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); echo "cannot make a virtual environment with $(PYTHON) (Debian and Ubuntu: apt-get install python3-venv)" >&2; exit 2; }
	@$(PIP) --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.installed: $(VENV)/.made pyproject.toml
	@echo "installing ecoaudit into $(VENV)"
	@$(PIP) --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.installed
	@echo "installing the test tools into $(VENV)"
	@$(PIP) --group test
	@touch $@

$(VENV)/.lint: $(VENV)/.installed
	@echo "installing the lint tools into $(VENV)"
	@$(PIP) --group test --group lint
	@touch $@

demo: $(VENV)/.installed
	@$(BIN)/ecoaudit demo

test: $(VENV)/.test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.lint
	@PATH="$(CURDIR)/$(BIN):$$PATH" bash scripts/lint.sh

bench: $(VENV)/.test
	@$(BIN)/python -m benchmarks

golden: $(VENV)/.test
	$(BIN)/python -m pytest --regenerate-golden -q

lock: $(VENV)/.made
	@$(PIP) 'uv>=0.5'
	@PATH="$(CURDIR)/$(BIN):$$PATH" bash scripts/lock.sh

clean:
	rm -rf $(VENV) .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build ecoaudit-demo ecoaudit-report
