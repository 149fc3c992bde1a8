#!/usr/bin/env bash
# Make a virtual environment with the package for Amazon's kind of store, and a server of that kind: scripts/setup_storage.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:?usage: scripts/setup_storage.sh FOLDER}
python=${PYTHON:-python3}
"$python" -m venv "$venv"
"$venv/bin/pip" install -q "$(grep '^torch==' constraints.txt)"
grep -v '^python-dateutil==' constraints.txt > "$venv/constraints.txt"
"$venv/bin/pip" install -q -c "$venv/constraints.txt" -r tests/real_storage/requirements.txt \
    -e '.[eval,storage]' hypothesis pytest pytest-timeout
touch "$venv/ready"
