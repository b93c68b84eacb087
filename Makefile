# `make demo` and `make test` need Python 3.11 or later and make, nothing else: each prepares .venv
# with exactly what tests/requirements.lock says. With LATEST=1 they use a separate environment with
# the newest packages that requirements.txt allows.

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
# The scripts are started a thousand times: what Python compiled is kept, also where that is off.
unexport PYTHONDONTWRITEBYTECODE
TOOLS := build/deploy/.ready

.PHONY: docs help demo cloud demo-org test bench bench-others soak lint lock latest policies clean deploy-hub deploy-spokes \
    deploy-organization destroy-hub destroy-spokes schema status checkov

# V=1 prints all that the scripts print; DATA=folder keeps database, bucket and report there.
DATA ?= demo-data
VERBOSE := $(if $(V),--verbose)

demo: $(READY) ## run both scripts for two weeks of an invented company, on a simulated AWS
	@$(BIN)/python -m tests.cloud.demo --data $(DATA) $(VERBOSE)

cloud: $(READY) ## start the simulated AWS of make demo again, until Ctrl-C
	@$(BIN)/python -m tests.cloud.demo --data $(DATA) $(VERBOSE) --up

demo-org: $(READY) ## show one run over an organization with accounts that fail
	@$(BIN)/python -m tests.cloud.demo_organization $(VERBOSE)

soak: $(READY) ## load documents for minutes: with faults and kills, beside a hostile account, with little room
	$(BIN)/python -m tests.soak
	$(BIN)/python -m tests.neighbours
	$(BIN)/python -m tests.cramped

# Four processes on two cores, since many tests wait for limits and time-outs.
# TESTS=tests/collectors: these only.
test: lint ## lint, then run all tests, or those of TESTS=...
	$(BIN)/python -m pytest -n 4 --dist loadgroup $(TESTS)

lint: $(READY) ## check style, types, layers and sizes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.house
	$(BIN)/python deploy/policies.py --check

bench: $(READY) ## measure how fast sender and receiver are (QUICK=1: two minutes)
	@$(BIN)/python -m tests.bench

# awswrangler, for `make bench` to compare with: in an environment of its own, as it needs pandas and
# pyarrow, which nothing here does.
bench-others: ## install what `make bench` compares with
	$(PYTHON) -m venv build/others
	build/others/bin/python $(PIP_INSTALL) awswrangler==3.17.1

deploy-hub deploy-spokes deploy-organization: $(TOOLS) ## deploy a template (deploy/README.md)
	deploy/deploy.sh $(@:deploy-%=%)

schema: $(TOOLS) ## apply schema.sql to the hub's database
	deploy/deploy.sh schema

status: $(TOOLS) ## show the state of all that is deployed
	@deploy/deploy.sh status

# A separate environment: checkov needs an older boto3 than ours. Each exception
# is in deploy/checkov.yaml, with its reason.
checkov: ## check the templates with checkov
	$(PYTHON) -m venv build/checkov
	build/checkov/bin/python $(PIP_INSTALL) checkov
	build/checkov/bin/checkov --config-file deploy/checkov.yaml

# What the sender may read, from what its collectors declare.
policies: $(READY) ## write the read policies in deploy/ anew
	$(BIN)/python deploy/policies.py

# The parts of README.md and docs/ that follow from the code.
docs: $(READY) ## write the generated parts of README.md and docs/ anew
	$(BIN)/python -m tests.docs.generate
	$(BIN)/python -m tests.docs.aws_answers

# Needs Debian's chromium.
.PHONY: pictures
pictures: demo ## write docs/report.png anew, from the report of make demo
	$(BIN)/python -m tests.docs.pictures $(DATA)/report.html docs/report.png

# Superset has an environment of its own, as it needs older packages than ours. It shows the demo's
# data, or with CLUSTER_ARN and SECRET_ARN those of a cluster in AWS (docs/superset.md).
SUPERSET := build/superset
SUPERSET_OPTIONS = --data $(DATA) $(if $(PORT),--port $(PORT)) $(if $(DB_NAME),--database $(DB_NAME)) \
    $(if $(CLUSTER_ARN),--cluster-arn $(CLUSTER_ARN)) $(if $(SECRET_ARN),--secret-arn $(SECRET_ARN))

.PHONY: superset test-superset picture-superset lock-superset
superset: $(READY) $(SUPERSET)/.ready ## start Superset with dashboards, until Ctrl-C
	@$(BIN)/python -m dashboards.superset $(SUPERSET_OPTIONS)

# Not a part of `make test`: it takes minutes, and installs Superset. Needs Debian's chromium.
test-superset: $(READY) $(SUPERSET)/.ready ## open each dashboard in a browser
	DATA=$(abspath $(DATA)) $(BIN)/python -m pytest tests/dashboards/superset_in_a_browser.py

picture-superset: $(READY) $(SUPERSET)/.ready ## write docs/superset.png anew
	@$(BIN)/python -m tests.dashboards.picture $(DATA) docs/superset.png

lock-superset: ## renew dashboards/superset/requirements.lock
	$(PYTHON) -m venv --clear build/lock
	build/lock/bin/python $(PIP_INSTALL) -r dashboards/superset/requirements.txt
	echo '# Written by `make lock-superset`: Superset and all that it uses.' >build/lock/lock
	build/lock/bin/python -m pip --disable-pip-version-check freeze >>build/lock/lock
	mv build/lock/lock dashboards/superset/requirements.lock

$(SUPERSET)/.ready: dashboards/superset/requirements.lock
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python $(PIP_INSTALL) -r $<
	touch $@

destroy-hub destroy-spokes: $(TOOLS) ## delete what was deployed
	deploy/deploy.sh $@

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+[a-z -]*:.*## / { n = split($$1, names, " "); \
	    for (i = 1; i <= n; i++) printf "  %-20s %s\n", names[i], $$2 }' Makefile

clean: ## delete what the other targets have made here
	rm -rf .venv build demo-data .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Renew tests/requirements.lock; by the oldest Python that is supported, since newer versions of a
# package may not run on it.
lock: ## renew tests/requirements.lock
	$(PYTHON) -m venv --clear build/lock
	build/lock/bin/python $(PIP_INSTALL) -r tests/requirements.txt
	echo '# Written by `make lock`: all that tests, lint and the embedded cloud use.' >build/lock/lock
	build/lock/bin/python -m pip --disable-pip-version-check freeze >>build/lock/lock
	mv build/lock/lock tests/requirements.lock

# Upgraded each time, since newer packages appear every day.
latest: build/latest/.ready ## prepare the environment of LATEST=1
	build/latest/bin/python $(PIP_INSTALL) --upgrade --upgrade-strategy eager -r requirements.txt

# What runs with an administrator's credentials: the SDK and nothing else, each file by its hash.
$(TOOLS): deploy/tools.txt
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python $(PIP_INSTALL) --require-hashes --no-deps --only-binary :all: -r $<
	touch $@

# Not compiled: most modules are never imported, and Python compiles the others when they are.
.venv/.ready build/latest/.ready: tests/requirements.lock
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python $(PIP_INSTALL) --no-compile -r $<
	touch $@
