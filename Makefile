# Everything that one does with Shapeyard on one machine. `make run` and `make test` need nothing but Python 3.11.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
OBJECTS ?= 960
CLASSES ?= chair,table,sofa,shelf,lamp,bed,cup,bottle
SEED ?= 0
PRESET ?= small
# Where pip finds torch's CPU build, e.g. https://download.pytorch.org/whl/cpu; empty: where it finds everything else.
TORCH_INDEX ?=
BLENDER_LIBRARIES := libgl1 libice6 libsm6 libx11-6 libxext6 libxfixes3 libxi6 libxkbcommon0 libxrender1

CATALOGUE := procedural://?objects=$(OBJECTS)&seed=$(SEED)&classes=$(CLASSES)
BUCKET := s3://shapeyard/procedural-$(shell printf '%s' '$(CATALOGUE)' | cksum | cut -d' ' -f1)
.DEFAULT_GOAL := help

.PHONY: help
help:  ## Show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: $(VENV)/local  ## The main job: procedural meshes in an S3 bucket → trained, measured models and a report
	@$(BIN)/shapeyard store -- sh -c '$(BIN)/shapeyard copy "$(CATALOGUE)" $(BUCKET) \
	  && exec $(BIN)/shapeyard run reconstruct --preset $(PRESET) --param source=$(BUCKET)'

.PHONY: test
test: $(VENV)/dev  ## Lint, types, all tests
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/python -m pytest $(PYTEST)

.PHONY: compile
compile: $(VENV)/local  ## Compile the pipelines to pipelines/compiled
	@$(BIN)/shapeyard compile

.PHONY: clean
clean:  ## Remove runs, their cache, and the object store's data
	@rm -rf runs

$(VENV)/python: Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { \
	  echo "expected Python 3.11 as $(PYTHON), got: $$($(PYTHON) --version 2>&1 | head -n 1); say where it is: make PYTHON=…" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/local: $(VENV)/python requirements/local.txt pyproject.toml
	@echo "installing the pinned packages into $(VENV) (about 3.4 GB, once)"
	@$(BIN)/pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -r requirements/local.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -c 'import bpy' >/dev/null 2>&1 || { \
	  echo "Blender's module needs system libraries: $$($(BIN)/python -c 'import bpy' 2>&1 | tail -n 1)" >&2; \
	  echo "on Debian: apt-get install $(BLENDER_LIBRARIES)" >&2; exit 1; }
	@touch $@

$(VENV)/dev: $(VENV)/local requirements/dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	@touch $@
