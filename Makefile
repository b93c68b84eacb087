# `make demo` and `make test` need Python 3.11 or later and make, nothing else: each prepares .venv.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: policies demo demo-org test bench soak lint clean deploy-hub deploy-spokes deploy-organization \
    destroy-hub destroy-spokes

demo: $(READY)
	@$(BIN)/python -m tests.cloud.demo

demo-org: $(READY)
	@$(BIN)/python -m tests.cloud.demo_organization

soak: $(READY)
	$(BIN)/python -m tests.soak

# Three at once on two cores, since many tests wait: for limits, budgets, and what hangs.
test: lint
	$(BIN)/python -m pytest -n 3 --dist loadgroup

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.house
	$(BIN)/python deploy/policies.py --check

# QUICK=1: smaller, within two minutes.
bench: $(READY)
	@$(BIN)/python -m tests.bench

# What they take is in deploy/README.md.
deploy-hub deploy-spokes deploy-organization: $(READY)
	BIN=$(BIN) deploy/deploy.sh $(@:deploy-%=%)

# What the sender may read, from what its collectors declare.
policies: $(READY)
	$(BIN)/python deploy/policies.py

destroy-hub destroy-spokes: $(READY)
	BIN=$(BIN) deploy/deploy.sh $@

clean:
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(READY): requirements.txt tests/requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -r tests/requirements.txt
	touch $@
