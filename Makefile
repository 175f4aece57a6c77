# `make demo` and `make test` do everything on a fresh machine: virtual environment, installation, the job.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# For example PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu" where PyPI's torch would bring CUDA.
PIP_ARGS ?=
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: demo test test-all lint weights clean

demo: $(VENV)/.installed
	$(BIN)/lanenet-sad demo --out demo

test: lint
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

test-all: lint $(VENV)/.installed-fleet
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile -m "not gpu"

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# Trains what ships as lanenet_sad/weights/enet_sad_roads.safetensors; started again, it goes on where it stopped.
# ROADS is a folder of labelled real roads in CULane's layout.
ROADS ?= data/roads
weights: $(VENV)/.installed
	$(BIN)/lanenet-sad train --config roads_enet_sad --root $(ROADS) --out runs/roads $(if $(wildcard runs/roads/last.pt),--resume)
	$(BIN)/lanenet-sad train --config roads_enet_sad_large --root $(ROADS) --out runs/roads_large \
	  --init-weights runs/roads/best.safetensors $(if $(wildcard runs/roads_large/last.pt),--resume)

$(VENV)/.installed: setup.cfg constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install $(PIP_ARGS) --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) install $(PIP_ARGS) --constraint constraints.txt --editable ".[dev]"
	touch $@

$(VENV)/.installed-fleet: $(VENV)/.installed-dev
	$(PIP) install $(PIP_ARGS) --constraint constraints.txt --editable ".[dev,fleet]"
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
