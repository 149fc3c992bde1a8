# Every target sets up what it needs: a virtual environment with the tested versions.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
VLLM := .venv-vllm
# What test-vllm runs: all; "not full" is the part that continuous integration has time for.
SELECT :=

.PHONY: setup demo test test-full test-vllm check bench bench-vllm results clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt scripts/setup.sh
	PYTHON="$(PYTHON)" scripts/setup.sh $(VENV)

demo: $(READY)
	$(BIN)/elastic demo --out runs/demo

test: $(READY)
	$(BIN)/python -m pytest -m "not full and not vllm"

test-full: $(READY)
	$(BIN)/python -m pytest -m "not vllm"

# Real vLLM on a machine without a GPU, in an environment of its own.
test-vllm: $(VLLM)/ready
	$(VLLM)/bin/python -m pytest -m "$(SELECT)" tests/integrations tests/real_vllm

$(VLLM)/ready: pyproject.toml constraints.txt scripts/setup.sh scripts/setup_vllm.sh
	PYTHON="$(PYTHON)" scripts/setup_vllm.sh $(VLLM)

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_imports.py

bench: $(READY)
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/generation.py
	$(BIN)/python benchmarks/sharing.py
	$(BIN)/python benchmarks/grading.py
	$(BIN)/python benchmarks/sandbox.py

bench-vllm: $(VLLM)/ready
	$(VLLM)/bin/python benchmarks/vllm_throughput.py
	$(VLLM)/bin/python benchmarks/vllm_rollouts.py

results: $(READY)
	$(BIN)/python benchmarks/miniature.py
	$(BIN)/python benchmarks/training.py --bases runs/miniature
	$(BIN)/python benchmarks/step_time.py
	$(BIN)/python benchmarks/phases.py
	$(BIN)/python benchmarks/kills.py

clean:
	rm -rf $(VENV) $(VLLM) runs build .pytest_cache .mypy_cache .ruff_cache
