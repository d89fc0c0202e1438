# Everything a person or CI does with this repository; `make` lists it.
# Each target installs what it needs into .venv, once per lock file.

# An instance of one's own (DAGSTER_HOME set by the caller) is used as it is; ours is made and kept here.
DAGSTER_HOME ?= $(CURDIR)/data/dagster
export DAGSTER_HOME
# uv's cache stands beside what it installs, on the same disk: a home folder may be full, read-only or missing.
UV_CACHE_DIR ?= $(CURDIR)/.venv/cache
export UV_CACHE_DIR

bin := .venv/bin
runtime := .venv/runtime.stamp
dev := .venv/dev.stamp
instance := data/dagster/dagster.yaml
# Exports of one's own (CALBACK_DATA_DIR) take the place of the sample.
input := $(if $(CALBACK_DATA_DIR),,data/sample/manifest.json)
caches := .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

# Whatever pip a machine brings installs one package, uv, and that locked uv all others. [tool.uv] is for `make lock`
# alone: with --require-hashes its constraints would need hashes too. Compiled at once, as pip does: where a machine
# sets PYTHONDONTWRITEBYTECODE, every start would compile anew.
install := $(bin)/uv pip install --quiet --no-config --compile-bytecode --python $(bin)/python
install_package := $(install) --no-deps --no-build-isolation --editable .
# The threads that LightGBM is linked with, which a bare Debian lacks.
define libgomp
@if [ "$$(uname)" = Linux ] && ! $(bin)/python -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null; then \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "libgomp.so.1 is missing, which LightGBM needs: run 'apt-get install libgomp1' as root." >&2; \
		exit 1; \
	fi; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends libgomp1 >/dev/null; \
fi
endef
# For every Python from 3.11 on, and of each package one version for all of them.
compile_lock := $(bin)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

.PHONY: help demo ui ui-readonly test test-gcp lint docs bench lock clean
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

docs: $(runtime) ## Write the pages of docs/ that are made of the code
	$(bin)/python docs/write_reference.py

bench: $(dev) ## Run the benchmarks
	$(bin)/python -m benchmarks

lock: $(bin)/uv ## Resolve the lock files anew from pyproject.toml
	$(compile_lock) --group installer --output-file requirements-installer.lock
	$(compile_lock) pyproject.toml --group build --extra dev --output-file requirements-dev.lock
	$(compile_lock) pyproject.toml --group build --constraint requirements-dev.lock --output-file requirements.lock

clean: ## Remove .venv, data/ and every cache
	rm -rf .venv data build *.egg-info $(caches)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

data/sample/manifest.json: | $(runtime)
	$(bin)/calback sample data/sample

$(instance): calback_assets/dagster.yaml
	mkdir -p $(@D)
	cp $< $@

$(runtime): requirements.lock pyproject.toml | $(bin)/uv
	@echo "Installing what the platform needs into .venv"
	$(libgomp)
	$(install) --require-hashes --requirement requirements.lock
	$(install_package)
	touch $@

# The development lock holds the whole runtime lock, version for version.
$(dev): requirements-dev.lock pyproject.toml | $(bin)/uv
	@echo "Installing what the platform and its checks need into .venv"
	$(libgomp)
	$(install) --require-hashes --requirement requirements-dev.lock
	$(install_package)
	touch $(runtime) $@

# Errors alone are printed: a machine's settings of pip may hold what it warns of.
$(bin)/uv: requirements-installer.lock | $(bin)/python
	$(bin)/python -m pip install --quiet --quiet --require-hashes --requirement requirements-installer.lock
	touch $@

# Each candidate is run, not only looked up: pyenv answers to names of Pythons that it does not have.
# Debian ships venv without ensurepip, which is in a package of its own.
$(bin)/python:
	@for python in python3 python3.13 python3.12 python3.11; do \
		version=$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null); \
		case "$$version" in 3.11 | 3.12 | 3.13) break ;; esac; \
		python=; \
	done; \
	if [ -z "$$python" ]; then \
		echo "Python 3.11, 3.12 or 3.13 is needed and none is on PATH: install one." >&2; exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip' 2>/dev/null; then \
		if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
			echo "$$python cannot make a virtual environment: run 'apt-get install python$$version-venv' as root." >&2; \
			exit 1; \
		fi; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends "python$$version-venv" >/dev/null; \
	fi && \
	"$$python" -m venv .venv
