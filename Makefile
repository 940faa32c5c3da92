# The README's two commands, `make demo` and `make test`, set up everything they need. The rest is for developers.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/.venv/bin:$(PATH)
unexport PYTHONDONTWRITEBYTECODE # a `dagy` that has to compile all it imports takes three times as long

.PHONY: help setup chromium demo test check unit e2e format clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Make .venv and node_modules (the other targets do it by themselves)
	@tools/setup.sh

chromium: ## Have a Chromium here, for the tests that sign in with one (they are skipped without)
	@tools/chromium.sh

demo: setup ## Provision a stage on the local cloud, deploy a scheduled flow, run it, show what happened
	@tools/demo.sh

test: setup chromium check unit e2e ## Everything: linters, types, layers, unit tests, end-to-end tests

check: setup ## Formatter, linter, types, layers
	ruff format --check .
	ruff check .
	mypy
	lint-imports

# Tests that fork with every run go first and alone: a process that holds all other tests takes twice as long to fork.
FORKING := tests/engine tests/worker

unit: setup ## Tests that need no local cloud; with DAGY_COVERAGE=1 also how much of the command line they reach
	pytest -q -n 2 $(FORKING)
	if [ -z "$${DAGY_COVERAGE:-}" ]; then \
	  pytest -q -n 2 -m "not local_cloud" $(FORKING:%=--ignore %); \
	else \
	  rm -rf build/coverage; \
	  coverage run -m pytest -q -n 2 -m "not local_cloud" tests/cli; \
	  coverage combine --quiet; \
	  coverage report; \
	  pytest -q -n 2 -m "not local_cloud" --ignore tests/cli $(FORKING:%=--ignore %); \
	fi

e2e: setup ## The main job on the local cloud, without and with IAM enforcement
	pytest -q -n 2 -m local_cloud tests/e2e tests/local_cloud

format: setup ## Rewrite files as the formatter and the linter want them
	ruff format .
	ruff check --fix .

clean: ## Remove what builds and tests leave behind; .venv and node_modules stay
	rm -rf build dist cdk.out .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
