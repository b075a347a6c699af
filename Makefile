# `make demo` and `make test` need only python3 >= 3.11 and install the rest into .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := python -m pip install --quiet --disable-pip-version-check
# Fast: a lock is complete, and most of its packages are never imported, so they are not compiled.
PIP_LOCK := $(PIP) --require-hashes --no-deps --no-compile
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-strip-extras
# The AWS SDK for Python v4 needs Python 3.12 or later.
SMITHY_PYTHON := 3.13
SMITHY_VENV := $(VENV)-smithy
# .venv has the newest aiobotocore and the botocore that it requires. Tests also run with the oldest pair,
# installed over it, and with the newest botocore without aiobotocore.
OLDEST := 1.40.61
NEWEST_VENV := $(VENV)-newest-botocore
# Frameworks that fork, spawn or patch processes, and libraries with a native client of S3.
FRAMEWORKS_VENV := $(VENV)-frameworks
# The demo alone, which installs faster than .venv.
DEMO_VENV := $(VENV)-demo
# The build backend alone, so that no other package runs when a release is built.
BUILD_VENV := $(VENV)-build
# The AWS CLI, which has its own botocore, for benchmarks.
AWSCLI_VENV := $(VENV)-awscli
# The sdists of aiobotocore and botocore, and their own tests of sessions, credentials, configuration and signing.
UPSTREAM := build/upstream
AIOBOTOCORE_TESTS := $(addprefix tests/,test_config.py test_configprovider.py test_credentials.py test_session.py) \
  $(addprefix tests/botocore_tests/unit/test_,credentials.py session.py tokens.py) \
  $(addprefix tests/botocore_tests/functional/test_,credentials.py useragent.py)
BOTOCORE_OWN_TESTS := $(addprefix tests/unit/test_,args.py config_provider.py configloader.py credentials.py \
  session.py session_legacy.py signers.py tokens.py useragent.py) \
  $(addprefix tests/functional/test_,auth_config.py bearer_auth.py config_provider.py credentials.py session.py sts.py useragent.py)
# Python for browsers, which the page "Check a trust policy" runs.
PYODIDE := build/pyodide
# Tests that use botocore's private names.
BOTOCORE_TESTS := tests/botocore_adapters tests/sessions tests/identity tests/exchange tests/test_role_chaining.py \
  tests/test_smoke.py
AIO_TESTS := tests/aio
# Tests that depend on the version of Python: threads, processes, event loops, botocore's classes.
CORE_TESTS := $(BOTOCORE_TESTS) tests/aio tests/engine tests/races tests/shared_cache tests/test_*.py
# `make test` runs all tests on one Python, usually the oldest. The core tests run on these, and all tests on
# COVERED, whose monitoring measures coverage in a fifth of the time: it costs the oldest half as much again.
OTHER_PYTHONS := 3.12 3.13 3.14 3.15
COVERED := 3.14
# Each worker begins with a part of the tests in order, so that the tests of a file share their fixtures.
# More workers than two processors, because a third of the time passes in waiting for processes and servers.
PYTEST := $(BIN)/python -m pytest -q -n 4 --dist worksteal
# Compile even if the environment forbids it, as many images do: it takes a third of a short process.
export PYTHONDONTWRITEBYTECODE :=

# Create a virtual environment with exactly the packages of a lock. The pip of an older Python takes twice the time.
define MAKE_VENV
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "irsa-creds needs Python 3.11 or later: make PYTHON=python3.12")'
	@$(PYTHON) -c 'import ensurepip' || { echo '$(PYTHON) cannot create virtual environments: on Debian, apt-get install python3-venv'; exit 1; }
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/$(PIP_LOCK) -r requirements/pip.txt
	$(@D)/bin/$(PIP_LOCK) -r $<
endef

.PHONY: help demo test test-unit coverage test-oldest test-newest test-pythons test-real test-rgw test-frameworks test-node \
	test-smithy test-smithy-here test-upstream test-browser bench docs pyodide dist release address test-dist lint format lock \
	clean

help:
	@echo 'make demo            IRSA end to end, with irsa-creds and with botocore alone'
	@echo 'make test            the hermetic tests, with each botocore'
	@echo 'make coverage        the hermetic tests again; it fails if they miss a line or branch of src/'
	@echo 'make test-pythons    core tests on Python 3.12, 3.13 and 3.15, coverage on 3.14 (root on Debian:'
	@echo '                     installs missing ones into build/)'
	@echo 'make test-real       with Ceph RGW, a real STS (root; installs Debian packages), with real'
	@echo '                     frameworks (make test-frameworks), on Node.js (make test-node), with the AWS'
	@echo '                     SDK for Python v4 (make test-smithy), in Chromium (make test-browser), and with'
	@echo '                     the tests of aiobotocore and botocore (make test-upstream)'
	@echo 'make bench           benchmarks of irsa-creds and botocore, with targets'
	@echo 'make docs            build the pages in build/docs; a warning is an error'
	@echo 'make pyodide         get what the page "Check a trust policy" runs; before make docs (needs npm)'
	@echo 'make dist            build sdist and wheel twice, with equal bytes (make test-dist also tests them;'
	@echo '                     make release: only with the public address)'
	@echo 'make lint            ruff, mypy, types of the public names'
	@echo 'make lock            update the locks (needs uv)'

demo: $(DEMO_VENV)/ready
	PYTHONPATH=$(CURDIR)/src $(DEMO_VENV)/bin/python -m demo

test: test-unit test-oldest test-newest

test-unit: $(VENV)/ready
	$(PYTEST) -m 'not real'

coverage: $(VENV)/ready
	@$(BIN)/python --version
	$(PYTEST) -m 'not real' --cov --cov-report=term-missing:skip-covered

test-oldest: $(VENV)/botocore-$(OLDEST)/ready
	@echo "botocore $(OLDEST):"
	PYTHONPATH=$(VENV)/botocore-$(OLDEST) $(PYTEST) $(BOTOCORE_TESTS) $(AIO_TESTS) tests/integrations/test_aioboto3.py

test-newest: $(NEWEST_VENV)/ready
	@echo "The newest botocore, without aiobotocore:"
	$(NEWEST_VENV)/bin/python -m pytest -q -n 4 --dist worksteal $(BOTOCORE_TESTS)

test-pythons: $(addprefix test-python-,$(OTHER_PYTHONS))

# One after another even with -j, because each uses all processors.
.NOTPARALLEL:
test-python-%:
	sh tests/pythons/on.sh $* $(MAKE) --no-print-directory VENV=.venv-$* \
	  $(if $(filter $*,$(COVERED)),coverage,test-core)

test-core: $(VENV)/ready
	@$(BIN)/python --version
	$(PYTEST) -m 'not real' $(CORE_TESTS)

test-real: test-frameworks test-node test-smithy test-browser test-upstream test-rgw

test-frameworks: $(FRAMEWORKS_VENV)/ready
	$(FRAMEWORKS_VENV)/bin/python -m pytest -q -n 2 -m real tests/frameworks

# The AWS SDK for Python v4.
test-smithy:
	sh tests/pythons/on.sh $(SMITHY_PYTHON) $(MAKE) --no-print-directory test-smithy-here

test-smithy-here: $(SMITHY_VENV)/ready
	$(SMITHY_VENV)/bin/python -m pytest -q -n 2 tests/smithy

# Another language's SDK, with `irsa-creds exec`.
test-node: $(VENV)/ready
	sh tests/node/install.sh
	$(BIN)/python -m pytest -q -m real tests/node

# The page "Check a trust policy" in a browser.
test-browser: $(VENV)/ready $(PYODIDE)/ready
	sh tests/browser/install.sh
	$(BIN)/python -m pytest -q -m real tests/browser

# The sdist of boto3 contains no tests.
UNDER_INSTALL = PYTHONPATH=../site:$(CURDIR)/tests/upstream $(CURDIR)/$(BIN)/python -m pytest -q -n 2 -p under_install \
  -o addopts=--import-mode=importlib -o cache_dir=.pytest_cache
test-upstream: $(UPSTREAM)/ready
	cd $(UPSTREAM)/aiobotocore && $(UNDER_INSTALL) -m 'not localonly' --http-backend=all $(AIOBOTOCORE_TESTS)
	cd $(UPSTREAM)/botocore && $(UNDER_INSTALL) $(BOTOCORE_OWN_TESTS)

test-rgw: $(VENV)/ready
	bash tests/rgw/install.sh
	$(BIN)/python -m pytest -q -m real tests/rgw

bench: $(VENV)/ready $(AWSCLI_VENV)/ready
	$(BIN)/python -m benchmarks

docs: $(VENV)/ready
	$(BIN)/sphinx-build -q -W --keep-going -b html docs build/docs
	$(BIN)/sphinx-build -q -W --keep-going -b linkcheck docs build/docs-links
	$(BIN)/sphinx-build -q -W --keep-going -b doctest docs build/docs-tests

pyodide: $(PYODIDE)/ready

# Build twice, because a release must have reproducible bytes.
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

# As a distribution would: the tests of the sdist with the installed wheel, in an environment that finds other packages
# in $(VENV), but not the source: Python does not follow the .pth files of a directory that a .pth file names.
DIST_VENV := build/sdist/venv
test-dist: dist $(VENV)/ready
	rm -rf build/sdist && mkdir -p build/sdist
	tar -xzf dist/*.tar.gz -C build/sdist --strip-components 1
	$(BIN)/python -m venv --without-pip $(DIST_VENV)
	PIP_PYTHON=$(DIST_VENV)/bin/python $(BIN)/$(PIP) --no-deps dist/*.whl
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > $$(echo $(DIST_VENV)/lib/python3*/site-packages)/packages.pth
	cd build/sdist && venv/bin/python -m pytest -q -n 2 -m 'not real' -p no:cacheprovider

lint: $(VENV)/ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	@PATH="$(CURDIR)/$(BIN):$$PATH" pyright --verifytypes irsa_creds --ignoreexternal > $(VENV)/types.txt \
	  || { cat $(VENV)/types.txt; exit 1; }
	@grep completeness $(VENV)/types.txt
	PATH="$(CURDIR)/$(BIN):$$PATH" pyright tests/test_types.py

format: $(VENV)/ready
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

$(VENV)/ready: requirements/dev.txt pyproject.toml
$(NEWEST_VENV)/ready: requirements/newest.txt pyproject.toml
$(FRAMEWORKS_VENV)/ready: requirements/frameworks.txt pyproject.toml
$(SMITHY_VENV)/ready: requirements/smithy.txt pyproject.toml
$(VENV)/ready $(NEWEST_VENV)/ready $(FRAMEWORKS_VENV)/ready $(SMITHY_VENV)/ready:
	$(MAKE_VENV)
	$(@D)/bin/$(PIP) --no-deps --no-build-isolation --editable .
	$(@D)/bin/python -m pip check
	touch $@

$(DEMO_VENV)/ready: requirements/demo.txt
$(BUILD_VENV)/ready: requirements/build.txt
$(AWSCLI_VENV)/ready: requirements/awscli.txt
$(DEMO_VENV)/ready $(BUILD_VENV)/ready $(AWSCLI_VENV)/ready:
	$(MAKE_VENV)
	touch $@

$(VENV)/botocore-%/ready: requirements/botocore-%.txt $(VENV)/ready
	rm -rf $(@D)
	$(BIN)/$(PIP_LOCK) --target $(@D) -r $<
	touch $@

# pip reads the metadata of an sdist with its build backend.
$(UPSTREAM)/ready: requirements/upstream.txt $(VENV)/ready
	rm -rf $(@D) && mkdir -p $(@D)/aiobotocore $(@D)/botocore
	$(BIN)/$(PIP_LOCK) --target $(@D)/site -r $<
	PYTHONPATH=$(CURDIR)/$(@D)/site $(BIN)/python -m pip download --quiet --disable-pip-version-check --require-hashes --no-deps \
	  --no-build-isolation --no-binary aiobotocore,botocore --dest $(@D) -r $<
	tar -xzf $(@D)/aiobotocore-*.tar.gz -C $(@D)/aiobotocore --strip-components 1
	tar -xzf $(@D)/botocore-*.tar.gz -C $(@D)/botocore --strip-components 1
	touch $@

# npm compares the hashes of the lock.
$(PYODIDE)/ready: docs/check/package.json docs/check/package-lock.json docs/check/compile.mjs
	sh tests/node/install.sh
	rm -rf $(@D) && mkdir -p $(@D)
	cp $^ $(@D)
	cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && node compile.mjs
	touch $@

# Every package with its hashes, for all Pythons and platforms, without index URLs.
lock:
	$(LOCK) --extra testing --group dev pyproject.toml --output-file requirements/dev.txt
	$(LOCK) --extra testing --extra aiobotocore --group demo pyproject.toml --constraints requirements/dev.txt \
	  --output-file requirements/demo.txt
	$(LOCK) --extra testing --group newest pyproject.toml --output-file requirements/newest.txt
	$(LOCK) --extra testing --group frameworks pyproject.toml --output-file requirements/frameworks.txt
	$(LOCK) --extra testing --group smithy pyproject.toml --constraints requirements/dev.txt --output-file requirements/smithy.txt
	$(LOCK) --group pip --output-file requirements/pip.txt
	$(LOCK) --group build --constraints requirements/dev.txt --output-file requirements/build.txt
	$(LOCK) --no-deps --group upstream --constraints requirements/dev.txt --output-file requirements/upstream.txt
	$(LOCK) --group awscli --output-file requirements/awscli.txt
	$(LOCK) requirements/botocore-$(OLDEST).in --output-file requirements/botocore-$(OLDEST).txt

clean:
	rm -rf .venv* build dist htmlcov .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis
