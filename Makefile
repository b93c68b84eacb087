# `make demo` and `make test` need Python 3.11 or later and make, nothing else: each prepares .venv
# with exactly what tests/requirements.lock says. With LATEST=1 they use an environment of its own,
# in which what requirements.txt names, and needs, is the newest that it allows.

PYTHON ?= python3
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check
ifeq ($(LATEST),1)
VENV := build/latest
READY := latest
else
VENV := .venv
READY := .venv/.ready
endif
BIN := $(VENV)/bin

.PHONY: demo demo-org test bench soak lint lock latest policies clean deploy-hub deploy-spokes \
    deploy-organization destroy-hub destroy-spokes

demo: $(READY)
	@$(BIN)/python -m tests.cloud.demo

demo-org: $(READY)
	@$(BIN)/python -m tests.cloud.demo_organization

soak: $(READY)
	$(BIN)/python -m tests.soak

# Three at once on two cores, since many tests wait: for limits, budgets, and what hangs.
# TESTS=tests/collectors: these only.
test: lint
	$(BIN)/python -m pytest -n 3 --dist loadgroup $(TESTS)

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

# Renew tests/requirements.lock; by the oldest Python that is supported, since newer versions of a
# package may not run on it.
lock:
	$(PYTHON) -m venv --clear build/lock
	build/lock/bin/python $(PIP_INSTALL) -r tests/requirements.txt
	echo '# Written by `make lock`: all that tests, lint and the embedded cloud use.' >build/lock/lock
	build/lock/bin/python -m pip --disable-pip-version-check freeze >>build/lock/lock
	mv build/lock/lock tests/requirements.lock

# Asked anew each time, for what is newest changes by the day.
latest: build/latest/.ready
	build/latest/bin/python $(PIP_INSTALL) --upgrade --upgrade-strategy eager -r requirements.txt

.venv/.ready build/latest/.ready: tests/requirements.lock
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python $(PIP_INSTALL) -r $<
	touch $@
