# Everything a person or CI does with this repository; `make` lists it.
# Each target installs what it needs into .venv, once per lock file.

# An instance of one's own (DAGSTER_HOME set by the caller) is used as it is; ours is made and kept here.
DAGSTER_HOME ?= $(CURDIR)/data/dagster
export DAGSTER_HOME
export PIP_DISABLE_PIP_VERSION_CHECK = 1

bin := .venv/bin
runtime := .venv/runtime.stamp
dev := .venv/dev.stamp
instance := data/dagster/dagster.yaml
# Exports of one's own (CALBACK_DATA_DIR) take the place of the sample.
input := $(if $(CALBACK_DATA_DIR),,data/sample/manifest.json)
caches := .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

pip_install := $(bin)/python -m pip install --quiet
install_package := $(pip_install) --no-deps --no-build-isolation --editable .
# The build group holds setuptools, which an installation without build isolation takes from the lock.
compile_lock := $(bin)/uv pip compile pyproject.toml --group build --upgrade --quiet --python-version 3.11 \
	--python-platform x86_64-manylinux_2_28 --generate-hashes --no-strip-extras \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

.PHONY: help demo ui ui-readonly test test-gcp lint bench lock clean
.DELETE_ON_ERROR:

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

demo: $(runtime) $(instance) $(input) ## Run the main job on the sample data and show the results
	$(bin)/calback run

ui: $(runtime) $(instance) $(input) ## Open Dagit on it, for who has the token that is printed
	$(bin)/calback ui

ui-readonly: $(runtime) $(instance) $(input) ## Open Dagit on it to look, without a token
	$(bin)/calback ui --read-only

test: lint ## Run every check that CI runs
	$(bin)/python -m pytest

test-gcp: $(dev) ## Run the tests that need a real project, CALBACK_GCP_PROJECT, which is billed
	$(bin)/python -m pytest -m gcp

lint: $(dev) ## Check style, types and the direction of imports
	$(bin)/ruff check
	$(bin)/ruff format --check
	$(bin)/mypy
	$(bin)/lint-imports --no-logo

bench: $(dev) ## Run the benchmarks
	$(bin)/python -m benchmarks

lock: $(dev) ## Resolve both lock files anew from pyproject.toml
	$(compile_lock) --extra dev --output-file requirements-dev.lock
	$(compile_lock) --constraint requirements-dev.lock --output-file requirements.lock

clean: ## Remove .venv, data/ and every cache
	rm -rf .venv data build *.egg-info $(caches)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

data/sample/manifest.json: | $(runtime)
	$(bin)/calback sample data/sample

$(instance): calback_assets/dagster.yaml
	mkdir -p $(@D)
	cp $< $@

$(runtime): requirements.lock pyproject.toml | $(bin)/python
	@echo "Installing what the platform needs into .venv"
	$(pip_install) --require-hashes --requirement requirements.lock
	$(install_package)
	touch $@

# The development lock holds the whole runtime lock, version for version.
$(dev): requirements-dev.lock pyproject.toml | $(bin)/python
	@echo "Installing what the platform and its checks need into .venv"
	$(pip_install) --require-hashes --requirement requirements-dev.lock
	$(install_package)
	touch $(runtime) $@

# Each candidate is run, not only looked up: pyenv answers to names of Pythons that it does not have.
# Debian ships venv without ensurepip, which is in a package of its own.
$(bin)/python:
	@for python in python3.11 python3 python; do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then break; fi; \
		python=; \
	done; \
	if [ -z "$$python" ]; then \
		echo "Python 3.11 is needed (the locks are resolved for it) and none is on PATH: install it." >&2; exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip' 2>/dev/null; then \
		if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
			echo "$$python cannot make a virtual environment: run 'apt-get install python3.11-venv' as root." >&2; exit 1; \
		fi; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends python3.11-venv >/dev/null; \
	fi && \
	"$$python" -m venv .venv
