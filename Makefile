# One command each; `make` alone lists them. Everything runs on a plain python3 (3.11 or later), in a virtual environment
# that the first call makes and later calls reuse until what it is made from changes.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help venv demo test check format bench soak hdfs hdfs-stop hbase hbase-stop screenshots wheel constraints clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z][a-z%-]*:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

venv: $(INSTALLED) ## Make the virtual environment .venv with everything in it, at the tested versions

$(INSTALLED): pyproject.toml setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or later is needed: make PYTHON=/path/to/python3 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo,dev]'
	@touch $@

demo: $(INSTALLED) ## Run the hub on real provider files, with Dagster's UI (ARGS=--once: without servers)
	$(BIN)/datahub demo $(ARGS)

test: $(INSTALLED) ## Run the tests (ARGS="-k calendar" for some of them)
	$(BIN)/python -m pytest -n logical --maxprocesses 8 --dist loadscope --no-loadscope-reorder $(ARGS)

check: $(INSTALLED) ## Check style, formatting, types and layers; all of them, also after one has failed
	@failed=; \
	for tool in "ruff check --output-format concise ." "ruff format --check --output-format concise ." mypy "lint-imports --no-logo"; do \
	  echo "-- $$tool"; $(BIN)/$$tool || failed="$$failed [$$tool]"; \
	done; \
	test -z "$$failed" || { echo "failed:$$failed; make format puts formatting right"; exit 1; }

format: $(INSTALLED) ## Put formatting and import order right
	$(BIN)/ruff check --quiet --select I --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED) ## Run all benchmarks; results in build/bench/*.json
	@set -e; for file in datahub_assets_tests/benchmarks/bench_*.py; do \
	  $(BIN)/python -m $$(echo $${file%.py} | tr / .) $(ARGS); done
	@$(BIN)/python datahub_assets_tests/benchmarks/unmet_aims.py

bench-%: $(INSTALLED) ## Run one benchmark, datahub_assets_tests/benchmarks/bench_%.py
	@$(BIN)/python -m datahub_assets_tests.benchmarks.bench_$* $(ARGS)
	@$(BIN)/python datahub_assets_tests/benchmarks/unmet_aims.py $*

soak: $(INSTALLED) ## Run the tests at full sizes and kill counts, properties with 20 times the examples; may take hours
	$(BIN)/python -m pytest -n logical --maxprocesses 8 --dist loadscope --no-loadscope-reorder -m '' --timeout 0 --hypothesis-profile soak $(ARGS)

hdfs: $(INSTALLED) ## Start a real HDFS with WebHDFS and HttpFS for development (Java 17 and Maven); says its addresses
	@$(BIN)/python -m datahub_assets_tests.hadoop start

hdfs-stop: $(INSTALLED) ## Stop it; its data stay in build/hdfs
	@$(BIN)/python -m datahub_assets_tests.hadoop stop

hbase: $(INSTALLED) ## Start a real HBase with its Thrift gateway for development (Java 17 and Maven); says its settings
	@$(BIN)/python -m datahub_assets_tests.hbase start

hbase-stop: $(INSTALLED) ## Stop it; its data stay in build/hbase
	@$(BIN)/python -m datahub_assets_tests.hbase stop

screenshots: $(INSTALLED) ## Take the pictures in docs/images from the demo, with Chromium
	$(BIN)/datahub demo --once
	$(BIN)/python docs/images/screenshots.py

wheel: $(INSTALLED) ## Build the wheel and use it from an empty environment
	rm -rf build/lib build/bdist.* build/wheel build/wheel-env
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir build/wheel .
	$(PYTHON) -m venv build/wheel-env
	build/wheel-env/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt build/wheel/*.whl
	build/wheel-env/bin/python -I .ci/wheel_smoke.py
	build/wheel-env/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
	  "$$(ls build/wheel/*.whl)[serve,client]"
	build/wheel-env/bin/python -I .ci/wheel_smoke.py extras

constraints: ## Write constraints.txt anew: the newest versions that pyproject.toml allows (needs a compiler and libkrb5-dev)
	rm -rf build/constraints-env
	$(PYTHON) -m venv build/constraints-env
	build/constraints-env/bin/python -m pip install --quiet --disable-pip-version-check -e '.[demo,dev,kerberos]'
	{ sed '/^[^#]/d' constraints.txt; build/constraints-env/bin/python -m pip freeze --exclude-editable --exclude pip --exclude setuptools; } > build/constraints.txt
	mv build/constraints.txt constraints.txt

clean: ## Remove what was built, cached and installed; hubs stay
	rm -rf build dist .venv *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find datahub_assets datahub_assets_tests -name __pycache__ -type d -prune -exec rm -rf {} +
