#!/usr/bin/env bash
# What needs a GPU, in at most eight minutes, on a machine that has torch and transformers and perhaps nothing else:
#
#     scripts/gpu_check.sh [OUT.json]              # on the GPU
#     DEVICE=cpu scripts/gpu_check.sh [OUT.json]   # the same path with tiny models, to know that it works
#
# Needs no network. pytest is used where it is installed, or from a folder of wheels that WHEELS names.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
if [ -n "${WHEELS:-}" ] && ! "$python" -c 'import pytest' 2>/dev/null; then
    "$python" -m pip install -q --no-index --find-links "$WHEELS" pytest
fi
export PYTHONPATH="src:tests:benchmarks${PYTHONPATH:+:$PYTHONPATH}" HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
exec timeout --signal=INT 480 "$python" benchmarks/gpu_check.py --device "${DEVICE:-cuda}" ${1:+--out "$1"}
