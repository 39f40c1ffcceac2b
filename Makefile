# `make help` lists the targets. `run` and `test` need Debian, Python 3.11 and root or sudo, and install the rest.

PYTHON ?= python3.11
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
# Resolved for the Python of Debian 12: later ones need less, and find it all here.
LOCK := $(BIN)/uv pip compile --quiet --python-version 3.11.2 --generate-hashes --no-emit-find-links --no-emit-index-url --no-header $(LOCK_ARGS)
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes

.DEFAULT_GOAL := help
.PHONY: help run test check fix faults bench migrate lock screenshots clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.installed ## Start everything for development: a regtest daemon, the worker, the site; data is kept
	@scripts/install-system-packages run
	@exec $(BIN)/flask --app wsgi dev

test: check ## Run the checks and then every test (WORKERS=2 at a time)
	@scripts/install-system-packages test
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)

check: $(VENV)/.installed-dev ## Look for faults without running anything: style, types, layers, templates
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check --diff .
	@$(BIN)/mypy --no-error-summary
	@mkdir -p build && $(BIN)/lint-imports --no-logo >build/layers.log 2>&1 || { cat build/layers.log; exit 1; }
	@$(BIN)/djlint --quiet --lint templates

fix: $(VENV)/.installed-dev ## Put right what can be put right by itself: imports, formatting
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

faults: $(VENV)/.installed-dev ## Live through every fault on both databases and count what was lost (SEED=1 repeats a run)
	@scripts/install-system-packages test
	@$(BIN)/python -m tests.faults $(if $(SEED),--seed $(SEED)) $(FAULTS_ARGS)

bench: $(VENV)/.installed-dev ## Measure how fast it is (BENCH_ARGS="--parts runs,batch --runs 5"; --help lists all)
	@scripts/install-system-packages test
	@$(BIN)/python -m bench $(BENCH_ARGS)

migrate: $(VENV)/.installed ## Bring the configured database to the newest schema
	@$(BIN)/flask --app wsgi db upgrade

lock: $(VENV)/.installed-dev ## Resolve requirements*.in again into requirements*.txt, pinned with hashes (LOCK_ARGS=--upgrade: the newest)
	@$(LOCK) requirements.in --output-file requirements.txt
	@$(LOCK) --constraint requirements.txt requirements-dev.in --output-file requirements-dev.txt

screenshots: $(VENV)/.installed-dev ## Walk through the pages in Chromium and keep pictures in build/screenshots
	@scripts/install-system-packages test
	@$(BIN)/pytest -m browser

clean: ## Remove what checks and tests leave; the instance folder and the virtual environment stay
	@rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -path ./$(VENV) -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf

$(BIN)/pip:
	@PYTHON=$(PYTHON) scripts/install-system-packages venv
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt | $(BIN)/pip
	@echo "Installing the pinned requirements..."
	@$(INSTALL) -r requirements.txt
	@touch $@

# The development lock holds the other one, pin for pin.
$(VENV)/.installed-dev: requirements-dev.txt requirements.txt | $(BIN)/pip
	@echo "Installing the pinned requirements of the tests..."
	@$(INSTALL) -r requirements-dev.txt
	@touch $@ $(VENV)/.installed
