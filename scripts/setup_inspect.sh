#!/usr/bin/env bash
# Make a virtual environment with the package and inspect_ai, which wants other versions than constraints.txt has:
# scripts/setup_inspect.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:?usage: scripts/setup_inspect.sh FOLDER}
"${PYTHON:-python3}" -m venv "$venv"
# Alone and first: what depends on torch then takes this build and does not look for another.
"$venv/bin/pip" install -q "$(grep '^torch==' constraints.txt)"
"$venv/bin/pip" install -q -r tests/real_inspect/requirements.txt
"$venv/bin/pip" install -q --no-deps -e .
touch "$venv/ready"
