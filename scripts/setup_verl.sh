#!/usr/bin/env bash
# Make a virtual environment with verl and vLLM for a machine without a GPU: scripts/setup_verl.sh FOLDER
# verl wants an older transformers than the tested one, and so has versions of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:?usage: scripts/setup_verl.sh FOLDER}
python=${PYTHON:-python3}
"$python" -m venv "$venv"
"$venv/bin/pip" install -q "$(grep '^torch==' constraints.txt)"
# All of them stand in the file: without their own requirements, some of which are CUDA's or exclude each other.
"$venv/bin/pip" install -q --no-deps -r tests/real_verl/requirements.txt
"$venv/bin/pip" install -q --no-deps -e .
# verl asks for the version of a distribution named vllm; +cpu has vLLM know its platform by it.
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
mkdir -p "$site/vllm-0.32.0+cpu.dist-info"
printf 'Metadata-Version: 2.1\nName: vllm\nVersion: 0.32.0+cpu\n' > "$site/vllm-0.32.0+cpu.dist-info/METADATA"
touch "$venv/ready"
