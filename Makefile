# The targets set .venv up first, which is nothing to do while requirements.txt and pyproject.toml stay as they were.
# PYTHON=/path/to/python3.12 chooses the interpreter; ARGS="..." is handed to demo, test and test-slow.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url

ifeq ($(origin GAITNET_DATA),undefined)
ifneq ($(wildcard ../shared/data/.),)
export GAITNET_DATA := $(CURDIR)/../shared/data
endif
endif

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow lint wheel bench lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile
	@echo; echo "benchmarks, each with --help of its own:"
	@for script in benchmarks/*.py; do printf '  %-30s %s\n' "$$script" "$$(sed -n '1s/^"""//p' "$$script")"; done

setup: $(STAMP)  ## make .venv with the locked dependencies and this project in it

$(STAMP): requirements.txt pyproject.toml .ci/make_venv
	@sh .ci/make_venv $(VENV)
	@touch $@

demo: $(STAMP)  ## enrol and identify people who walk; writes a page to look at
	$(BIN)/gaitnet demo $(ARGS)

# Two processes at a time, since most of a test is a compiler at work on one core; a file's tests stay together.
test: $(STAMP)  ## the tests, without the slow ones
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile $(ARGS)

test-slow: $(STAMP)  ## the slow tests alone: overfit checks of the pose networks, whole evaluations
	$(BIN)/python -m pytest -m slow $(ARGS)

lint: $(STAMP)  ## ruff, its formatter, mypy
	@rc=0; for check in "ruff check ." "ruff format --check ." mypy; do echo "$$check"; $(BIN)/$$check || rc=1; done; exit $$rc

wheel: $(STAMP)  ## build the wheel, look into it, install it in a clean environment and use it there
	$(BIN)/python .ci/check_wheel

bench: $(STAMP)  ## every script of benchmarks/ (below), one after the other; one that misses what it measures against says so
	@set -e; for script in benchmarks/*.py; do \
	  test -e "$$script" || { echo "benchmarks/ holds no script yet"; exit 0; }; \
	  echo "== $$script"; $(BIN)/python "$$script" || test $$? -eq 2; \
	done

lock: $(STAMP)  ## write requirements.txt anew from pyproject.toml (add LOCK_ARGS=--upgrade for newer versions)
	$(BIN)/python -m pip install --quiet uv
	$(LOCK) $(LOCK_ARGS) --extra train --group dev --output-file requirements.txt pyproject.toml

clean:  ## remove what can be made again; .venv, runs/ and your own files stay
	rm -rf build dist demo-output .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path ./$(VENV) -prune -o -type d -name __pycache__ -exec rm -rf {} +
