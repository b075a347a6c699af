# `make demo` and `make test` need python3 >= 3.11 and nothing else: the rest comes into .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := python -m pip install --quiet --disable-pip-version-check
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-strip-extras
# .venv has the newest aiobotocore, and the botocore that it takes. Beside it: the oldest pair, laid over
# that, and the newest botocore, where no aiobotocore is.
OLDEST := 1.40.61
NEWEST_VENV := $(VENV)-newest-botocore
# What forks, spawns or patches our processes, as applications run it.
FRAMEWORKS_VENV := $(VENV)-frameworks
# The demo alone, so that a first look does not wait for what developers need.
DEMO_VENV := $(VENV)-demo
# The build backend alone: what a release is built with runs no other package.
BUILD_VENV := $(VENV)-build
# The AWS CLI has a botocore of its own; the bench measures it.
AWSCLI_VENV := $(VENV)-awscli
# What touches botocore's own names.
BOTOCORE_TESTS := tests/botocore_adapters tests/identity tests/exchange tests/test_smoke.py
AIO_TESTS := tests/aio
# What versions of Python differ in: threads, processes, event loops, and what stands on botocore's classes.
CORE_TESTS := $(BOTOCORE_TESTS) tests/aio tests/engine tests/races tests/shared_cache tests/test_*.py
# `make test` runs the whole suite on one Python, usually the oldest. These have the core's tests, and the last the
# whole suite as well.
OTHER_PYTHONS := 3.12 3.13 3.14 3.15
# Each worker begins with half of the suite in a row, so that what a file's tests share is made once.
PYTEST := $(BIN)/python -m pytest -q -n 2 --dist worksteal
# Also where the environment forbids it, as in many images: compiling takes a third of a short process.
export PYTHONDONTWRITEBYTECODE :=

# A virtual environment with exactly what a lock names.
define MAKE_VENV
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "irsa-creds needs Python 3.11 or later: make PYTHON=python3.12")'
	@$(PYTHON) -c 'import ensurepip' || { echo '$(PYTHON) cannot make virtual environments: on Debian, apt-get install python3-venv'; exit 1; }
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/$(PIP) --require-hashes $(PIP_OPTIONS) -r $<
endef

.PHONY: help demo test test-unit test-oldest test-newest test-pythons test-real test-rgw test-frameworks test-node \
	bench docs dist release address test-dist lint format lock clean

help:
	@echo 'make demo            the main job, seen: IRSA end to end, beside botocore on its own'
	@echo 'make test            the hermetic suite, with each botocore'
	@echo 'make test-pythons    the core on Python 3.12 to 3.14, all tests on 3.15 (as root on Debian: brings the'
	@echo '                     newer ones, into build/)'
	@echo 'make test-real       against Ceph RGW, a real STS (root; installs Debian packages), and in'
	@echo '                     real frameworks (make test-frameworks) and on Node.js (make test-node)'
	@echo 'make bench           what we promise to reach, measured beside botocore'
	@echo 'make docs            the pages, into build/docs; a warning is an error'
	@echo 'make dist            sdist and wheel, twice, to be the same (make test-dist: tested as well;'
	@echo '                     make release: only with the public address)'
	@echo 'make lint            ruff, mypy, whether the locks name all extras and all public types are known'
	@echo 'make lock            pin all packages anew (needs uv)'

demo: $(DEMO_VENV)/ready
	PYTHONPATH=$(CURDIR)/src $(DEMO_VENV)/bin/python -m demo

test: test-unit test-oldest test-newest

test-unit: $(VENV)/ready
	$(PYTEST) -m 'not real' --cov --cov-report=term-missing:skip-covered

test-oldest: $(VENV)/botocore-$(OLDEST)/ready
	@echo "botocore $(OLDEST):"
	PYTHONPATH=$(VENV)/botocore-$(OLDEST) $(PYTEST) $(BOTOCORE_TESTS) $(AIO_TESTS) tests/integrations/test_aioboto3.py

test-newest: $(NEWEST_VENV)/ready
	@echo "The newest botocore, without aiobotocore:"
	$(NEWEST_VENV)/bin/python -m pytest -q -n 2 $(BOTOCORE_TESTS)

test-pythons: $(addprefix test-python-,$(OTHER_PYTHONS))

# One after another, also with -j: each takes all processors.
.NOTPARALLEL:
test-python-%:
	sh tests/pythons/on.sh $* $(MAKE) --no-print-directory VENV=.venv-$* \
	  $(if $(filter $*,$(lastword $(OTHER_PYTHONS))),test-on-this,test-core)

# Coverage is the main suite's to judge: what a version of Python lacks is not reached everywhere.
test-on-this: $(VENV)/ready
	@$(BIN)/python --version
	$(PYTEST) -m 'not real'

test-core: $(VENV)/ready
	@$(BIN)/python --version
	$(PYTEST) -m 'not real' $(CORE_TESTS)

test-real: test-frameworks test-node test-rgw

test-frameworks: $(FRAMEWORKS_VENV)/ready
	$(FRAMEWORKS_VENV)/bin/python -m pytest -q -n 2 -m real tests/frameworks

# Another language's SDK, through `irsa-creds exec`.
test-node: $(VENV)/ready
	sh tests/node/install.sh
	$(BIN)/python -m pytest -q -m real tests/node

test-rgw: $(VENV)/ready
	bash tests/rgw/install.sh
	$(BIN)/python -m pytest -q -m real tests/rgw

bench: $(VENV)/ready $(AWSCLI_VENV)/ready
	$(BIN)/python -m benchmarks

docs: $(VENV)/ready
	$(BIN)/sphinx-build -q -W --keep-going -b html docs build/docs
	$(BIN)/sphinx-build -q -W --keep-going -b linkcheck docs build/docs-links
	$(BIN)/sphinx-build -q -W --keep-going -b doctest docs build/docs-tests

# Twice, from two checkouts' worth of times: the same bytes, or it is no release.
dist: $(BUILD_VENV)/ready
	rm -rf dist build/dist-again
	$(BUILD_VENV)/bin/python -m hatchling build --directory dist
	$(BUILD_VENV)/bin/python -m hatchling build --directory build/dist-again
	cd dist && sha256sum * | tee ../build/dist-again/SHA256SUMS && cd ../build/dist-again && sha256sum --check --strict SHA256SUMS

# What is published needs the address that its links and URLs are made of.
release: address dist

address:
	@grep -q '^repository = "https://.*[^/]"$$' pyproject.toml || { \
	  echo 'A release needs the public address: set "repository" in pyproject.toml.' >&2; exit 1; }

# As somebody who packages it would: only what the sdist holds, and the wheel as it is installed.
test-dist: dist $(VENV)/ready
	rm -rf build/sdist && mkdir -p build/sdist/site
	tar -xzf dist/*.tar.gz -C build/sdist --strip-components 1
	$(BIN)/$(PIP) --no-deps --target build/sdist/site dist/*.whl
	cd build/sdist && PYTHONPATH=site $(CURDIR)/$(BIN)/python -m pytest -q -n 2 -m 'not real' -p no:cacheprovider

lint: $(VENV)/ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python requirements/extras.py requirements/*.txt
	@PATH="$(CURDIR)/$(BIN):$$PATH" pyright --verifytypes irsa_creds --ignoreexternal > $(VENV)/types.txt \
	  || { cat $(VENV)/types.txt; exit 1; }
	@grep completeness $(VENV)/types.txt

format: $(VENV)/ready
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

$(VENV)/ready: requirements/dev.txt pyproject.toml
$(NEWEST_VENV)/ready: requirements/newest.txt pyproject.toml
$(FRAMEWORKS_VENV)/ready: requirements/frameworks.txt pyproject.toml
$(VENV)/ready $(NEWEST_VENV)/ready $(FRAMEWORKS_VENV)/ready:
	$(MAKE_VENV)
	@$(@D)/bin/python requirements/extras.py $<
	$(@D)/bin/$(PIP) --no-deps --no-build-isolation --editable .
	touch $@

# Quick: the lock is complete, and most of what it brings is never imported, hence not compiled.
$(DEMO_VENV)/ready: PIP_OPTIONS := --no-deps --no-compile
$(DEMO_VENV)/ready: requirements/demo.txt
$(BUILD_VENV)/ready: requirements/build.txt
$(DEMO_VENV)/ready $(BUILD_VENV)/ready:
	$(MAKE_VENV)
	touch $@

$(AWSCLI_VENV)/ready: requirements/awscli.txt | $(VENV)/ready
	$(MAKE_VENV)
	@PYTHONPATH=$$(echo $(@D)/lib/python3*/site-packages) $(BIN)/python requirements/extras.py $<
	touch $@

$(VENV)/botocore-%/ready: requirements/botocore-%.txt $(VENV)/ready
	rm -rf $(@D)
	$(BIN)/$(PIP) --require-hashes --target $(@D) -r $<
	@PYTHONPATH=$(@D) $(BIN)/python requirements/extras.py $<
	touch $@

# Every package with its hashes, for all Pythons and platforms at once, without index addresses.
lock:
	$(LOCK) --extra testing --group dev pyproject.toml --output-file requirements/dev.txt
	$(LOCK) --extra testing --extra aiobotocore --group demo pyproject.toml --constraints requirements/dev.txt \
	  --output-file requirements/demo.txt
	$(LOCK) --extra testing --group newest pyproject.toml --output-file requirements/newest.txt
	$(LOCK) --extra testing --group frameworks pyproject.toml --output-file requirements/frameworks.txt
	$(LOCK) --group build --constraints requirements/dev.txt --output-file requirements/build.txt
	$(LOCK) --group awscli --output-file requirements/awscli.txt
	$(LOCK) requirements/botocore-$(OLDEST).in --output-file requirements/botocore-$(OLDEST).txt

clean:
	rm -rf .venv* build dist htmlcov .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis
