# Everything a developer runs; needs Python 3.11 or newer, make and git. `make help` lists it.

PYTHON ?= python3
http_port ?= 6543
# Worker processes of the tests; each has its own databases on one server.
jobs ?= 3

BIN := .venv/bin
RUNTIME := .venv/runtime.stamp
TEST := .venv/test.stamp
BENCH := .venv/bench.stamp
# What the benches compare with, in an environment of its own.
PEERS := build/peers/peers.stamp
PEERS_FROM := tests/benchmarks/peers
PIP := $(BIN)/python -m pip --disable-pip-version-check

# Tests that spend their time on processes starting and ending, half of all. They are a run of their own, so that each
# is a matter of minutes.
PROGRAMS := $(addprefix tests/,faults docs migrations benchmarks) \
	$(addprefix tests/integration/,scripts processes exchange)

.DEFAULT_GOAL := help
.PHONY: serve test test-programs test-long test-variants check format bench bench-sessions shell clean help

serve: $(RUNTIME) ## Migrate the development database and serve it (http_port=7000 for another port)
	@$(BIN)/alembic upgrade head
	@echo
	@echo "  Starts on http://127.0.0.1:$(http_port), until Ctrl-C. Try, from another terminal:"
	@echo
	@echo "    curl -H 'Content-Type: application/json' -d '{\"name\": \"demo\"}' http://127.0.0.1:$(http_port)/v1/ledgers"
	@echo
	@echo "  What else there is: http://127.0.0.1:$(http_port)/docs"
	@echo
	@exec $(BIN)/pserve development.ini http_port=$(http_port)

test: $(TEST) ## Run the tests on SQLite and a real PostgreSQL (MYAPP_TEST_DATABASE_URL for a server of your own)
	$(BIN)/pytest -n $(jobs) -m "not long and not oracle" $(PROGRAMS:%=--ignore=%)

test-programs: $(TEST) ## Run what starts programs: servers and kills them, the command line, migrations, what README and docs say to type
	$(BIN)/pytest -n $(jobs) -m "not long and not oracle" $(PROGRAMS)

test-long: $(TEST) ## Run what compares at length: with the reference model, with other programs, every column tampered with, plans
	$(BIN)/pytest -n $(jobs) -m "long or oracle"

test-variants: $(TEST) ## Run the functional suite SERIALIZABLE, with injected faults, and through a PgBouncer (3 minutes)
	$(BIN)/pytest -n $(jobs) tests/functional --variant serializable
	$(BIN)/pytest -n $(jobs) tests/functional --variant faults
	$(BIN)/pytest -n $(jobs) tests/functional --variant pgbouncer

check: $(TEST) ## Lint, formatting, types, import contracts and house rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest -q tests/architecture

format: $(TEST) ## Format the code and make the fixes that are safe
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench-sessions: $(BENCH) ## Compare creating with reusing sessions: tables, build/bench-sessions.json, the picture in docs (5 minutes)
	$(BIN)/python -m tests.benchmarks.sessions --out build/bench-sessions.json --plot docs/images/bench-sessions.svg

bench: $(BENCH) $(PEERS) ## Run every bench (hours, the first time): tables, build/bench-*.json and .svg; make bench-NAME for one
	$(BIN)/python -m tests.benchmarks $(bench_options)

bench-%: $(BENCH) $(PEERS)
	$(BIN)/python -m tests.benchmarks $* $(bench_options)

shell: $(RUNTIME) ## Open a Python shell with a begun session, the models and the operations
	@$(BIN)/alembic upgrade head
	@exec $(BIN)/pshell development.ini

clean: ## Remove what can be made again; databases stay
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## List what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Python 3.11 or newer is needed, and $(PYTHON) is not that; try: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .venv

$(RUNTIME): setup.py constraints.txt | $(BIN)/python
	$(PIP) install --quiet -c constraints.txt -e .
	@touch $@

$(TEST): setup.py constraints.txt | $(BIN)/python
	$(PIP) install --quiet -c constraints.txt -e '.[test]'
	@touch $(RUNTIME) $@

$(BENCH): setup.py constraints.txt | $(BIN)/python
	$(PIP) install --quiet -c constraints.txt -e '.[bench]'
	@touch $(RUNTIME) $(TEST) $@

$(PEERS): $(PEERS_FROM)/requirements.txt $(PEERS_FROM)/constraints.txt | $(BIN)/python
	$(BIN)/python -m venv build/peers
	build/peers/bin/python -m pip --disable-pip-version-check install --quiet -r $(PEERS_FROM)/requirements.txt -c $(PEERS_FROM)/constraints.txt
	@touch $@
