#!/usr/bin/env bash
# Make a virtual environment with the tested versions, or with the newest there are: scripts/setup.sh FOLDER [latest]
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:?usage: scripts/setup.sh FOLDER [latest]}
constraints=(-c constraints.txt)
[ "${2:-}" = latest ] && constraints=()
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    { echo "elastic-reasoning needs Python 3.11 or newer; $python is $("$python" --version 2>&1). Set PYTHON=..." >&2; exit 2; }
# Debian and Ubuntu ship Python without venv: say so, or install it where that is possible.
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -q && apt-get install -yq --no-install-recommends python3-venv
    else
        echo "Python has no venv module: sudo apt-get install python3-venv" >&2
        exit 2
    fi
fi
"$python" -m venv "$venv"
torch=$(grep '^torch==' constraints.txt)
# Alone and first: what depends on torch then takes this build and does not look for another.
"$venv/bin/pip" install -q "$torch"
"$venv/bin/pip" install -q "${constraints[@]}" -e '.[train,eval,ifeval,lm-eval,server,gateway,ray,dev]'
touch "$venv/ready"
