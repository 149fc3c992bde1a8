#!/usr/bin/env bash
# The packages of scripts/gpu_check.sh that a machine with torch, transformers, accelerate, peft, pandas and pyarrow may
# lack, as wheels of a few MB, to be carried to where there is no network:
#
#     scripts/gpu_wheels.sh FOLDER [PYTHON_VERSION]      # 3.12 if not given
set -euo pipefail
cd "$(dirname "$0")/.."
out=$1 version=${2:-3.12}
python=${PYTHON:-python3}
names="trl datasets dill multiprocess msgspec jsonargparse docstring_parser typeshed-client math-verify
    latex2sympy2_extended antlr4-python3-runtime gguf pint flexcache flexparser platformdirs sortedcontainers"
platforms=$(printf -- '--platform manylinux_2_%s_x86_64 ' 28 27 17)
# shellcheck disable=SC2086  # each is a word of its own
"$python" -m pip download -q --no-deps --only-binary=:all: --implementation cp --python-version "$version" \
    $platforms --platform manylinux2014_x86_64 --constraint constraints.txt --dest "$out" $names
du -sh "$out"
