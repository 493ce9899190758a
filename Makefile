# Every target makes its own environment in .venv first; nothing outside of this folder is written.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed.stamp
GENERATED := $(VENV)/generated.stamp
CONTRACTS := $(shell find protos -name '*.proto')
PYTHONS ?= python3 python3.13 python3.12 python3.11
CHECKED := shared provider_node regulator_node benchmarks tests

.PHONY: demo test check bench faults fuzz mutants up down clean
.DEFAULT_GOAL := test
.DELETE_ON_ERROR:

demo: $(GENERATED)
	$(BIN)/filing-cluster demo

up: $(GENERATED)
	$(BIN)/filing-cluster up --filled

down: $(GENERATED)
	$(BIN)/filing-cluster down

# A file stays with one worker, for the sake of the networks that live as long as their module.
test: $(GENERATED)
	$(BIN)/python -m pytest -n 3 --dist loadfile

# Runs the tests that say what they tried at their full size, and writes docs/promises.md from what they told.
faults: $(GENERATED)
	$(BIN)/python -m pytest -n 2 --dist loadfile --full-size --keep-figures
	$(BIN)/python -m tests.promises

# Changes the modules on which trust rests and sees that their tests notice; tests/mutants.md explains what survives.
mutants: $(GENERATED)
	$(BIN)/python -m tests.mutants

# Fuzzes every parser of bytes from outside, each for so many seconds; what was learned and what failed is in .fuzz/.
FUZZ_SECONDS ?= 60
fuzz: $(GENERATED)
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS)

bench: $(GENERATED)
	$(BIN)/python -m benchmarks

# Cheap checks first. Every line is silent when it finds nothing, or says so in one line.
check: $(GENERATED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/python protos/check.py
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/docker-compose --file docker-compose.yml config --quiet
	$(BIN)/hadolint Dockerfile
	$(BIN)/mypy $(CHECKED) protos/generate.py protos/check.py

clean:
	if [ -d .network ] && [ -x $(BIN)/filing-cluster ]; then $(BIN)/filing-cluster down; fi
	rm -rf $(VENV) .network shared/pb build dist *.egg-info
	rm -rf .fuzz .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment that works is kept, so that a changed line of pyproject.toml costs seconds.
$(BIN)/python:
	@for python in $(PYTHONS); do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "environment: $$($$python --version) in $(VENV)"; \
	    if $$python -m venv --clear $(VENV); then exit 0; fi; \
	    echo "environment: $$python cannot make one; install its venv module (Debian: python3-venv)" >&2; exit 1; \
	  fi; \
	done; \
	echo "environment: Python 3.11 or newer is needed; tried: $(PYTHONS)" >&2; exit 1

$(INSTALLED): pyproject.toml constraints.txt setup.py | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[cluster,dev]'
	@touch $@

$(GENERATED): $(INSTALLED) protos/generate.py $(CONTRACTS)
	$(BIN)/python protos/generate.py
	@touch $@
