# Two commands do everything on a fresh machine: `make run` and `make test`. `make help` lists the others.
# Everything is installed below this directory: .venv (to run), .venv-test (to test), .tools (Node programs).

PYTHON ?= python3
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

RUN := .venv
TEST := .venv-test
PIP := bin/python -m pip --disable-pip-version-check --no-input -q

.PHONY: help run test lint types unit schemathesis ui ui-test openapi platforms permissions format lock clean test-tools
-include tests/tools.mk

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "make %-12s %s\n", $$1, $$2}'

run: $(RUN)/.ready ui ## Start the router on PORT (3000); with its own PostgreSQL and Valkey unless DATABASE_URL and REDIS_URL are set
	@exec $(RUN)/bin/ccrouter serve

test: lint types ui-test ui unit ## Run every check and every test

lint: $(TEST)/.ready ## Check style and import rules
	$(TEST)/bin/ruff format --check .
	$(TEST)/bin/ruff check .
	$(TEST)/bin/lint-imports

types: $(TEST)/.ready ## Check types
	$(TEST)/bin/mypy

unit: $(TEST)/.ready test-tools ## Run the tests
	$(TEST)/bin/pytest -n auto --dist loadgroup

ui: frontend/dist/.built ## Build the web UI into frontend/dist, where its sources changed

ui-test: frontend/node_modules/.ready ## Check the web UI: types, style, unit and component tests
	@cd frontend && npm run -s test

openapi: $(TEST)/.ready ## Write the API's description that the web UI's types come from
	$(TEST)/bin/ccrouter openapi > frontend/openapi.json
	cd frontend && npm run -s api

schemathesis: $(TEST)/.ready ## Ask the admin API everything its description allows (a quarter of an hour)
	$(TEST)/bin/python -m tests.asked.asking

platforms: $(TEST)/.ready ## Write the table of docs/platforms.md anew
	$(TEST)/bin/pytest -q tests/platforms/test_table.py --write-platforms

permissions: $(TEST)/.ready ## Ask every operation of the API as everybody, and print what each was answered
	$(TEST)/bin/pytest -q tests/admin/test_permission_table.py --permissions

format: $(TEST)/.ready ## Format the code
	$(TEST)/bin/ruff format .
	$(TEST)/bin/ruff check --fix .

lock: ## Renew the lock files (needs uv)
	uv pip compile pyproject.toml --group build --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --upgrade -q -o requirements/run.lock
	uv pip compile pyproject.toml --group build --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --upgrade -q -o requirements/test.lock

clean: ## Remove everything that was installed or built (not the data in .data)
	rm -rf $(RUN) $(TEST) .tools frontend/node_modules frontend/dist .mypy_cache .ruff_cache .import_linter_cache

$(RUN)/.ready: requirements/run.lock pyproject.toml
	@$(call install,$(RUN),run)

$(TEST)/.ready: requirements/test.lock pyproject.toml
	@$(call install,$(TEST),test)

UI_SOURCES := $(shell find frontend/src frontend/public frontend/scripts -type f) frontend/index.html frontend/vite.config.ts

# Without Node.js the router runs all the same; only the pages are missing, and it says so.
frontend/dist/.built: $(UI_SOURCES) frontend/package-lock.json
	@if command -v npm >/dev/null; then \
	  $(MAKE) --no-print-directory frontend/node_modules/.ready && echo "building the web UI ..." >&2 && \
	  (cd frontend && npm run -s build >.build.log 2>&1 || { cat .build.log >&2; exit 1; }) && touch $@; \
	else echo "Node.js 20 or newer is not here: the web UI is not built, everything else runs." >&2; fi

frontend/node_modules/.ready: frontend/package-lock.json
	@echo "installing what the web UI is built with (once) ..." >&2
	@cd frontend && npm ci --no-audit --no-fund --loglevel=error >.install.log 2>&1 || { cat .install.log >&2; exit 1; }
	@touch $@

define install
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
  { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another: make run PYTHON=python3.12" >&2; exit 1; } && \
echo "installing into $(1) (once; it takes about half a minute) ..." >&2 && \
rm -rf $(1) && \
$(PYTHON) -m venv $(1) && \
$(1)/$(PIP) install --require-hashes -r requirements/$(2).lock && \
$(1)/$(PIP) install --no-deps --no-build-isolation -e . && \
touch $@
endef
