# `make demo` and `make test` need python3 >= 3.11 and nothing else: the rest comes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-real lint format lock clean

$(VENV)/ready: requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "irsa-creds needs Python 3.11 or later: make PYTHON=python3.12")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# Pins every package with its hashes, for all Pythons and platforms at once, without index addresses.
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra testing --group dev pyproject.toml --output-file requirements/dev.txt

clean:
	rm -rf .venv* build dist htmlcov .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis
