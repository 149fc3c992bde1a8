#!/usr/bin/env bash
# Make a virtual environment with other people's trainers, as far as they run without a GPU: scripts/setup_trainers.sh FOLDER
# verifiers wants an older openai than the tested one.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:?usage: scripts/setup_trainers.sh FOLDER}
python=${PYTHON:-python3}
"$python" -m venv "$venv"
"$venv/bin/pip" install -q "$(grep '^torch==' constraints.txt)"
"$venv/bin/pip" install -q -r tests/real_trainers/requirements.txt
"$venv/bin/pip" install -q --no-deps openrlhf==0.11.2 -e .
touch "$venv/ready"
