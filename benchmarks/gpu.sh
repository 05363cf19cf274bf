#!/usr/bin/env bash
# The tests of an accelerator and the GPU rows of the benchmarks in eight minutes, on a bare machine with an NVIDIA or AMD GPU and torch:
#
#     bash benchmarks/gpu.sh [FOLDER]
#
# Reads   data/dataset, models/pocket (for the vocabulary), and WHEELS, a folder of wheels for the packages that are missing here, if that is
#         set. Make it elsewhere: pip download --no-deps --only-binary=:all: --python-version 3.12 -d wheels coqui-tts==... coqpit-config==...
# Writes  FOLDER (default .cache/gpu): the base of XTTS_v2's sizes, and tables.md, ready for benchmarks/README.md
set -euo pipefail
cd "$(dirname "$0")/.."
limit_s=480 # in all: what has not begun by then is left out, what runs is stopped
folder=${1:-.cache/gpu}
mkdir -p "$folder"
if [ -n "${WHEELS:-}" ]; then
    python3 -m pip install -q --no-index --no-deps --no-compile --target "$folder/site" "$WHEELS"/*.whl
    export PYTHONPATH=$PWD/$folder/site
fi
[ -f data/dataset/manifest.jsonl ] || { echo "error: data/dataset is missing: dvc pull, or dvc repro curate" >&2; exit 2; }
reference=$(ls data/dataset/wavs/*.wav | head -n 1)
run() { # SECONDS_AT_MOST MODULE ARGUMENTS...; SECONDS is bash's own clock
    local most=$(($1 < limit_s - SECONDS ? $1 : limit_s - SECONDS)) from=$SECONDS
    shift
    echo; echo "## $*"; echo
    [ "$most" -gt 0 ] || { echo "LEFT OUT: $limit_s s are over"; return; }
    timeout "$most" python3 -m "$@" || echo "FAILED: status $? (124: stopped after $most s)"
    echo; echo "$((SECONDS - from)) s"
}
{
    python3 -c 'import torch; print(torch.cuda.get_device_name(), "torch", torch.__version__)'
    run 150 pytest -q --durations=5 tests/test_gpu.py
    run 240 benchmarks.bench_train "$folder" --device cuda --updates 10
    run 100 benchmarks.bench_speak --base "$folder/base" --reference "$reference" --device cuda --lines 32 --turns 2
    run 60 benchmarks.bench_stream --base "$folder/base" --reference "$reference" --device cuda --turns 5
    run 60 benchmarks.bench_speak --base models/pocket/xtts --reference "$reference" --device cuda --codes 60 --same-sound
} 2>&1 | tee "$folder/tables.md"
