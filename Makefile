# make run    measure three emulated drives and draw the report (TARGETS="name=/path …" measures real ones)
# make test   all tests, the ones on real tools and real block devices included
VENV   := .venv
BIN    := $(VENV)/bin
PYTHON ?= python3
LOGS   := .setup
export TARGETS # by the environment, since a name in it may hold quotes

.PHONY: run test lint format packages test-packages clean bench-short
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile
	@echo "make lint   formatting, lint, strict types, the import rule"
	@awk -F ':.*## ' '/^bench-[a-z]*:.*## / {printf "make %-16s %s\n", $$1, $$2}' Makefile

run: packages $(BIN)/iobench
	@BIN="$(abspath $(BIN))" scripts/run.sh

test: test-packages $(BIN)/pytest
	@BIN=$(BIN) scripts/test.sh

lint: $(BIN)/pytest
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(BIN)/pytest
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

packages:
	@LOGS=$(LOGS) scripts/packages.sh

test-packages:
	@LOGS=$(LOGS) TESTS=1 scripts/packages.sh

$(VENV)/made:
	@echo "making a virtual environment in $(VENV)"
	@mkdir -p $(LOGS)
	@$(PYTHON) -m venv $(VENV) && touch $@

$(BIN)/iobench: pyproject.toml | packages $(VENV)/made
	@echo "installing iobench and the libraries it uses (log: $(LOGS)/pip.log)"
	@$(BIN)/python -m pip install --editable . >$(LOGS)/pip.log 2>&1 || { tail -n 20 $(LOGS)/pip.log; exit 3; }
	@touch $@

$(BIN)/pytest: pyproject.toml | packages $(VENV)/made
	@echo "installing iobench with what its tests need (log: $(LOGS)/pip-dev.log)"
	@$(BIN)/python -m pip install --editable '.[dev]' >$(LOGS)/pip-dev.log 2>&1 || { tail -n 20 $(LOGS)/pip-dev.log; exit 3; }
	@touch $@

clean:
	rm -rf $(VENV) $(LOGS) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

bench-truth: $(BIN)/pytest ## measured speed against the speed that emulated drives are set to
	$(BIN)/python benchmarks/truth.py
bench-overhead: $(BIN)/pytest ## throughput through iobench against bare fio, and our own CPU
	$(BIN)/python benchmarks/overhead.py
bench-gaps: $(BIN)/pytest ## time between steps
	$(BIN)/python benchmarks/gaps.py
bench-startup: $(BIN)/pytest ## iobench --help against bare python
	$(BIN)/python benchmarks/startup.py
bench-equals: $(BIN)/pytest ## equal drives are not told apart
	$(BIN)/python benchmarks/equals.py
bench-honest: $(BIN)/pytest ## honest steps are not accused (half an hour)
	$(BIN)/python benchmarks/honest.py
bench-estimate: $(BIN)/pytest ## the estimate of time against the time it took
	$(BIN)/python benchmarks/estimate.py
bench-dbench: $(BIN)/pytest ## dbench on two drives of known speed, and against bare dbench
	$(BIN)/python benchmarks/dbench.py
bench-oltp: $(BIN)/pytest ## transactions: time to the first, drives of known speed, against bare sysbench (10 minutes)
	$(BIN)/python benchmarks/oltp.py
bench-kills: $(BIN)/pytest ## kill -9 at random moments
	$(BIN)/python benchmarks/kills.py
bench-mutations: $(BIN)/pytest ## every parser, given 100,000 spoilt outputs
	$(BIN)/python benchmarks/mutations.py
bench-checks: $(BIN)/pytest ## each guard and each check of the evidence taken out once: a test has to fail
	$(BIN)/python benchmarks/taken_out.py
bench-report: $(BIN)/pytest ## the report of 1,000 steps over 6 drives: time and memory of each format
	$(BIN)/python benchmarks/report.py
bench-soak: $(BIN)/pytest ## half an hour of short steps: memory, open files, gaps
	$(BIN)/python benchmarks/soak.py
bench-capacity: $(BIN)/pytest ## the search for the highest rate against the rate that drives are set to (12 minutes)
	$(BIN)/python benchmarks/capacity.py
bench-kvs: $(BIN)/pytest ## the KVS load generator against memtier, memcaslap and pymemcache (15 minutes)
	$(BIN)/python benchmarks/kvs.py
bench-handover: $(BIN)/pytest ## verdicts of validate on drives of known speed; the time of a quick look (15 minutes)
	$(BIN)/python benchmarks/handover.py
bench-verdicts: $(BIN)/pytest ## how often the rule of a handover errs, simulated (no drive needed)
	$(BIN)/python benchmarks/verdicts.py
bench-store: $(BIN)/pytest ## 1,000 campaigns and one of 10,000 steps: listed and compared in time and memory
	$(BIN)/python benchmarks/store.py
bench-short: $(BIN)/pytest ## a short seeded part of most, as CI runs it
	for each in dbench report oltp startup gaps overhead equals kills estimate truth honest mutations soak kvs handover verdicts capacity store; do $(BIN)/python benchmarks/$$each.py --short || exit 1; done
