# Every target works from a fresh clone: it sets up what it needs. `make help` lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
export DO_NOT_TRACK = 1
export DBT_SEND_ANONYMOUS_USAGE_STATS = false
export RUNTIME__DLTHUB_TELEMETRY = false

# The first Python that is new enough; `make PYTHON=/path/to/python` decides otherwise. Paths stay relative:
# make cannot quote a space in a prerequisite.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo "$$p" && break; done)
BIN := .venv/bin
PY := $(BIN)/python

.PHONY: help setup demo test test-slow test-dbt111 test-full test-crash test-stack lint audit format docs lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

setup: .venv/.ready .venv/.kernel ## Make .venv with the exact, hashed packages; compile the kernel

.venv/.ready: requirements.lock pyproject.toml adapter/pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11, 3.12 or 3.13 found"; echo "  fix: install one, or run make PYTHON=/path/to/python"; exit 1; }
	@echo "setting up .venv with $(PYTHON) (a minute or two)"
	"$(PYTHON)" -m venv --clear .venv
	$(PY) -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(PY) -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e adapter -e .
	@$(PY) tools/check_installed.py
	@$(PY) -m smart_trader.pipeline
	@touch .venv/.ready

.venv/.kernel: .venv/.ready $(wildcard smart_trader/fifo/*.py)
	@$(PY) -m smart_trader.fifo --compile
	@touch .venv/.kernel

demo: setup ## Load, build and rank a made-up market, on a lake in .lakehouse
	$(BIN)/smart-trader run --demo

TWO_PROCESSES := -n 2 --dist loadgroup --no-loadscope-reorder

test: setup ## Run every test but the slow ones and the larger forms
	$(PY) -m pytest $(TWO_PROCESSES)

test-slow: setup ## Run the slow ones: kills, damage, old lakes, whole markets
	$(PY) -m pytest $(TWO_PROCESSES) -m "slow and not full"

test-dbt111: .venv/.ready ## Parse, compile and run the quick tests on dbt 1.11 too
	@tools/test_dbt111.sh $(PY)

test-full: setup ## Run every test, the larger forms too
	$(PY) -m pytest -m "full or not full"

test-crash: setup ## Kill and damage lakes, a hundred times and more (an hour or longer)
	$(PY) -m pytest tests/python/recovery -m "full or not full" -s

test-stack: setup ## Run the whole stack without Docker: S3, PostgreSQL, a Spark cluster, Airflow (half an hour)
	@stack=$$($(PY) -c "from smart_trader.config.paths import cache_dir; print(cache_dir() / 'stack')") \
		&& tests/stack/install.sh "$$stack" $(PY) \
		&& PATH="$(CURDIR)/$(BIN):$$PATH" STACK_TOOLS="$$stack" $(PY) -m pytest tests/stack -s

lint: .venv/.ready ## Run what pre-commit runs, on all files
	$(BIN)/pre-commit run --all-files

audit: .venv/.ready ## Look up every locked package among the known vulnerabilities; fail without an answer
	@$(PY) tools/audit.py --required

format: .venv/.ready ## Let the formatters rewrite the code
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format . ; DBT_SPARKCONNECT_OFFLINE=1 $(BIN)/sqlfluff fix models macros snapshots tests analyses

docs: .venv/.ready ## Write docs/settings.md, and the packages' reference to target/api
	$(PY) tools/settings_docs.py
	$(BIN)/pdoc -o target/api smart_trader loaders dbt.adapters.sparkconnect

# What is locked stays where pyproject.toml allows it; make lock UPGRADE=--upgrade takes the newest of everything, and
# UPGRADE="--upgrade-package NAME" of one package.
UPGRADE ?=
COMPILE := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	--no-strip-extras --no-emit-index-url --no-annotate --no-header $(UPGRADE)

lock: ## Resolve the locks from both pyproject.toml again; UPGRADE=--upgrade for the newest versions
	@test -x $(BIN)/uv || { echo "error: no $(BIN)/uv"; echo "  fix: run make setup first"; exit 1; }
	cp requirements.lock requirements.lock.part
	$(COMPILE) pyproject.toml --all-extras --no-emit-package dbt-sparkconnect -o requirements.lock.part > /dev/null
	{ echo "# Exact versions and hashes of every package, for all supported Pythons. Made by: make lock"; \
		cat requirements.lock.part; } > requirements.lock
	cp dags/requirements.lock dags/requirements.lock.part
	$(COMPILE) dags/requirements.in -o dags/requirements.lock.part > /dev/null
	{ echo "# Exact versions and hashes of Airflow's own environment. Made by: make lock"; \
		cat dags/requirements.lock.part; } > dags/requirements.lock
	rm requirements.lock.part dags/requirements.lock.part

clean: ## Remove .venv and dbt's output; the lake stays
	rm -rf .venv .venv-dbt111 target logs
