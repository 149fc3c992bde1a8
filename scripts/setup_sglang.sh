#!/usr/bin/env bash
# Make a virtual environment with the tested versions and SGLang for a machine without a GPU: scripts/setup_sglang.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:?usage: scripts/setup_sglang.sh FOLDER}
# The two want much of the same; what vLLM for CPUs brings is without CUDA, which SGLang's own requirements are not.
scripts/setup_vllm.sh "$venv"
rm "$venv/ready"  # it is not, without SGLang
"$venv/bin/pip" install -q --no-deps sglang==0.5.23
# What it imports on a CPU beyond that. The stand-ins for torchvision and sgl_kernel lie in tests/real_servers.
"$venv/bin/pip" install -q -c constraints.txt orjson ipython soundfile zstandard
touch "$venv/ready"
