# `make` lists the targets. Every target makes and reuses .venv itself; PYTHON chooses the interpreter it is made with.
PYTHON ?= python3
DATA ?=
STACK_OPTIONS ?=
MODELS_DIR ?= build/models
STUBS_WORK ?= build/protos
SUITES ?=
QUICK ?= 0
CHECK ?= 0
SLOWED ?= 0
JSON ?=

BIN := .venv/bin
INSTALLED := .venv/.installed
STUBS := core/xmirad/api/v1
PROTOS := $(wildcard protos/xmirad/v1/*.proto)
MODELS := $(MODELS_DIR)/.built
USE_MODELS := XMIRAD_MODELS_DIR=$(abspath $(MODELS_DIR))
MODEL_SOURCES := $(wildcard core/xmirad/models/*.py core/xmirad/models/*/*.py) core/xmirad/imaging/preprocessing.py

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check lint bench format protos models docs-reference docs-pictures docs-performance lock install release-protos secrets stack bench-scale
.PHONY: check-code check-protos check-stubs check-unit

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

demo: $(MODELS) ## Index, search and evaluate synthetic images, or those of DATA=folder
	$(USE_MODELS) $(BIN)/xmirad demo --output build/demo $(if $(DATA),"$(DATA)")

test: $(MODELS) ## Run all tests, two at a time (XMIRAD_TEST_DATA names the folder of real images)
	XMIRAD_TEST_MODELS=$(abspath $(MODELS_DIR)) $(BIN)/pytest --numprocesses=2 --dist=loadfile --durations=40

check: lint check-unit ## Lint, and the unit tests: before every commit

lint: check-code check-protos ## Format, lint, types, imports, protos, spelling, dependencies

bench: $(MODELS) ## Run the benchmarks, or SUITES of them (QUICK=1: just see that they work; CHECK=1: fail on losses)
	$(USE_MODELS) $(BIN)/python -m benchmarks $(SUITES) $(call flag,quick,$(QUICK)) $(call flag,check,$(CHECK)) \
	  --slowed $(SLOWED) --json $(or $(JSON),build/bench$(if $(call flag,quick,$(QUICK)),-quick).json)

bench-scale: $(MODELS) ## Measure how cost grows with the archive, of DATA=folder or phantoms (QUICK=1: a minute)
	$(USE_MODELS) $(BIN)/python -m benchmarks.scale --output build/scale $(if $(DATA),--data "$(DATA)") $(call flag,quick,$(QUICK))

format: $(INSTALLED) ## Format code and protos, and mend what lint can mend
	$(BIN)/ruff format
	$(BIN)/ruff check --fix
	$(BIN)/buf format --write

protos: $(INSTALLED) ## Generate the stubs again
	$(call generate_stubs)
	rm -f $(STUBS)/*_pb2*.py $(STUBS)/*_pb2*.pyi && cp $(STUBS_WORK)/xmirad/v1/*_pb2* $(STUBS)/

models: $(MODELS) ## Build the default model and its random-weights control

secrets: $(INSTALLED) ## Make the secrets of docker-compose.yml, those that are missing
	$(BIN)/python deploy/make_secrets.py

stack: $(MODELS) secrets ## Run the services of docker-compose.yml as plain processes (needs redis-server)
	$(BIN)/python deploy/stack.py --work build/stack --secrets deploy/secrets --models $(MODELS_DIR) $(STACK_OPTIONS)

docs-reference: $(INSTALLED) ## Write the reference pages again from the code
	$(BIN)/python docs/reference.py

docs-pictures: $(MODELS) ## Write the page of examples and the pictures of figures again, by a running system
	$(USE_MODELS) $(BIN)/python docs/pictures.py
	$(USE_MODELS) $(BIN)/python docs/figure_pictures.py

docs-performance: $(INSTALLED) ## Write docs/performance.md again from benchmarks/reference.json, or from JSON
	$(BIN)/python -m benchmarks.page $(or $(JSON),benchmarks/reference.json)

lock: $(INSTALLED) ## Write requirements/*.txt from what is installed
	$(BIN)/python requirements/lock.py

install: $(INSTALLED) ## Make .venv with everything in it

release-protos: $(INSTALLED) ## Promise the present protos: later breaking changes fail the check
	$(BIN)/buf build --as-file-descriptor-set --output protos/released.binpb

check-code: $(INSTALLED)
	$(BIN)/ruff format --check --quiet
	$(BIN)/ruff check --quiet
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell
	$(BIN)/deptry .

check-protos: $(INSTALLED) check-stubs
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	$(BIN)/buf breaking --against protos/released.binpb

check-stubs: $(INSTALLED)
	$(call generate_stubs)
	diff --recursive --exclude=__init__.py --exclude=__pycache__ $(STUBS_WORK)/xmirad/v1 $(STUBS)

check-unit: $(INSTALLED)
	$(BIN)/pytest -q -m 'not slow' tests/unit tests/architecture tests/docs

$(INSTALLED): requirements/client.txt requirements/serving.txt requirements/monitoring.txt requirements/building.txt \
  requirements/lab.txt requirements/development.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -qq --no-deps --no-compile --disable-pip-version-check $(foreach set,$(filter %.txt,$^),-r $(set))
	$(BIN)/pip install -qq --no-deps --no-build-isolation --disable-pip-version-check -e .
	touch $@

$(MODELS): $(MODEL_SOURCES) requirements/serving.txt requirements/building.txt | $(INSTALLED)
	mkdir -p $(MODELS_DIR)
	$(USE_MODELS) $(BIN)/xmirad models build efficientnet-lite0-imagenet
	$(USE_MODELS) $(BIN)/xmirad models build efficientnet-lite0 --random-weights --seed 0
	touch $@

flag = $(if $(filter-out 0,$(2)),--$(1))

define generate_stubs
	rm -rf $(STUBS_WORK) && mkdir -p $(STUBS_WORK)
	PATH=$(abspath $(BIN)):$$PATH $(BIN)/python -m grpc_tools.protoc -Iprotos --python_out=$(STUBS_WORK) --pyi_out=$(STUBS_WORK) \
	  --grpc_python_out=$(STUBS_WORK) --mypy_grpc_out=quiet:$(STUBS_WORK) $(PROTOS)
	rm $(STUBS_WORK)/xmirad/v1/resources_pb2_grpc.* # resources.proto has no service
	sed -i 's/from xmirad\.v1 import/from xmirad.api.v1 import/; s/xmirad\.v1\.\(\w*_pb2\)/xmirad.api.v1.\1/g' \
	  $(STUBS_WORK)/xmirad/v1/*.py $(STUBS_WORK)/xmirad/v1/*.pyi
endef
