# Every target sets up what it needs: a virtual environment with the tested versions.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready

.PHONY: setup demo test test-full check bench results clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt scripts/setup.sh
	PYTHON="$(PYTHON)" scripts/setup.sh $(VENV)

demo: $(READY)
	$(BIN)/elastic demo --out runs/demo

test: $(READY)
	$(BIN)/python -m pytest -m "not full"

test-full: $(READY)
	$(BIN)/python -m pytest

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_imports.py

bench: $(READY)
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/generation.py
	$(BIN)/python benchmarks/sharing.py

results: $(READY)
	$(BIN)/python benchmarks/miniature.py

clean:
	rm -rf $(VENV) runs build .pytest_cache .mypy_cache .ruff_cache
