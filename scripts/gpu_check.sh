#!/usr/bin/env bash
# What is to be measured on a GPU, part by part, each with a time of its own; no network is needed:
#
#     scripts/gpu_check.sh                      # all parts, in order of their worth
#     scripts/gpu_check.sh engine training      # these (benchmarks/gpu_check.py lists them)
#     DEVICE=cpu scripts/gpu_check.sh           # the same path at tiny sizes, into runs/gpu_check
#
# OUT names another folder for what they write, WHEELS one of packages that the machine lacks: scripts/gpu_wheels.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT
if [ -n "${WHEELS:-}" ]; then
    "$python" -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --target "$site" "$WHEELS"/*.whl
fi
cp -r src/elastic_reasoning "$site"  # as it is installed: with its recipes
cp -r recipes "$site/elastic_reasoning"
export PYTHONPATH="$site:$PWD/tests:$PWD/benchmarks${PYTHONPATH:+:$PYTHONPATH}"
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false PYTHONUNBUFFERED=1
"$python" benchmarks/gpu_check.py --device "${DEVICE:-cuda}" ${OUT:+--out "$OUT"} "$@"
