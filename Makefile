# Everything that one does with Shapeyard on one machine. `make run` and `make test` need nothing but Python 3.11;
# `make images` and `make local-run` a container engine as well.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
OBJECTS ?= 960
CLASSES ?= chair,table,sofa,shelf,lamp,bed,cup,bottle
SEED ?= 0
PRESET ?= small
# Where torch's CPU build is found. A machine whose pip has a folder of wheels of its own is expected to have it there.
TORCH_INDEX ?= $(if $(PIP_FIND_LINKS),,https://download.pytorch.org/whl/cpu)
# Two checkouts on one machine must not take down each other's containers.
export COMPOSE_PROJECT_NAME ?= shapeyard-$(shell pwd | cksum | cut -d' ' -f1)
# For images: GPU=1 for the GPU builds of torch and TensorFlow, BASE for another base image, REGISTRY to push to.
GPU ?=
BASE ?=
REGISTRY ?=
BLENDER_LIBRARIES := libgl1 libice6 libsm6 libx11-6 libxext6 libxfixes3 libxi6 libxkbcommon0 libxrender1

CATALOGUE := procedural://?objects=$(OBJECTS)&seed=$(SEED)&classes=$(CLASSES)
BUCKET := s3://shapeyard/procedural-$(shell printf '%s' '$(CATALOGUE)' | cksum | cut -d' ' -f1)
PIP := $(BIN)/pip --quiet --disable-pip-version-check
BUILD := $(BIN)/shapeyard images $(if $(GPU),--gpu) $(if $(BASE),--base $(BASE)) \
  $(if $(REGISTRY),--registry $(REGISTRY))
ENGINE := docker info >/dev/null 2>&1 || { \
  echo "expected a container engine (Docker) that answers, found none; \`make run\` does the same without one" >&2; exit 1; }
.DEFAULT_GOAL := help

.PHONY: help
help:  ## Show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: $(VENV)/local  ## The main job: procedural meshes in an S3 bucket → trained, measured models and a report
	@$(BIN)/shapeyard store -- sh -c '$(BIN)/shapeyard copy "$(CATALOGUE)" $(BUCKET) \
	  && exec $(BIN)/shapeyard run reconstruct --preset $(PRESET) --param source=$(BUCKET)'

.PHONY: local-run
local-run: images  ## The main job in containers, the object store beside them
	@docker/local-run.sh $(BIN) "$(CATALOGUE)" $(BUCKET) $(PRESET)

.PHONY: images
images: engine $(VENV)/containers  ## Build the stages' images; make image-STAGE builds one
	@$(BUILD)

image-%: engine $(VENV)/containers
	@$(BUILD) $*

.PHONY: engine
engine:
	@$(ENGINE)

.PHONY: test
test: $(VENV)/dev  ## Lint, types, all tests; PYTEST='-m "not slow"' leaves out whole pipelines
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/hadolint docker/*.Dockerfile && { \
	  $(BIN)/mypy & types=$$!; \
	  $(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(PYTEST); tests=$$?; \
	  wait $$types && exit $$tests; }

.PHONY: fuzz
fuzz: $(VENV)/dev  ## Broken files for every reader, 20 s each; SHAPEYARD_FUZZ_SECONDS says another time
	@SHAPEYARD_FUZZ_SECONDS=$${SHAPEYARD_FUZZ_SECONDS:-20} $(BIN)/python -m pytest -q -n0 tests/test_readers.py

.PHONY: compile
compile: $(VENV)/containers  ## Compile the pipelines, and all else that is derived: typed specs, compose files, documents
	@$(BIN)/shapeyard compile

.PHONY: docs
docs: $(VENV)/dev  ## Build the documentation as a site, in site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict && echo site/index.html

.PHONY: clean
clean:  ## Remove runs, their cache, the object store's data, and containers and networks that are left
	@if docker info >/dev/null 2>&1; then \
	  docker ps --all --quiet --filter "label=shapeyard.out=$(CURDIR)/runs" | xargs --no-run-if-empty docker rm --force >/dev/null; \
	  test ! -x $(BIN)/docker-compose || $(VENV)/lib/python3.11/site-packages/compose/docker-compose \
	    --file docker/compose.yaml --progress quiet down --volumes --remove-orphans; fi
	@rm -rf runs site

$(VENV)/python: Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { \
	  echo "expected Python 3.11 as $(PYTHON), got: $$($(PYTHON) --version 2>&1 | head -n 1); say where it is: make PYTHON=…" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/containers: $(VENV)/python requirements/containers.txt pyproject.toml
	@test -e $(VENV)/local || echo "installing the packages that drive the containers into $(VENV) (once)"
	@$(PIP) install --requirement requirements/containers.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/local: $(VENV)/python requirements/local.txt pyproject.toml
	@echo "installing the pinned packages into $(VENV) (about 3.4 GB, once)"
	@$(PIP) install $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) --requirement requirements/local.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@$(BIN)/python -c 'import bpy' >/dev/null 2>&1 || { \
	  echo "Blender's module needs system libraries: $$($(BIN)/python -c 'import bpy' 2>&1 | tail -n 1)" >&2; \
	  echo "on Debian: apt-get install $(BLENDER_LIBRARIES)" >&2; exit 1; }
	@touch $(VENV)/containers $@

$(VENV)/dev: $(VENV)/local requirements/dev.txt
	@$(PIP) install $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) --requirement requirements/dev.txt
	@touch $@
