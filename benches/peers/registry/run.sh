#!/usr/bin/env bash
# The model registry's figures and MLflow's, side by side, in one session on one machine: JSON lines into OUT, a table of
# both at the end.
#
#   benches/peers/registry/run.sh [OUT]
#
# Needs Python; makes a virtual environment with MLflow in the target directory once (the one of the tracking figures).
# Everything runs on one core (ours too). CPU seconds are compared; wall times of a busy machine are not.
#
# To try it out, smaller: OURS='--models 100 --ops 20 --mib 4' THEIRS='--models 20 --ops 10 --mib 4' benches/peers/registry/run.sh
# and PROFILE=dev for a build without optimization.
set -euo pipefail
cd "$(dirname "$0")"
repo=$(cd ../../.. && pwd)
target=${CARGO_TARGET_DIR:-$repo/target}
out=${1:-$target/peers/registry.jsonl}
profile=${PROFILE:-bench}
version=3.17.2
venv=$target/peers/bench-mlflow-$version
if [ ! -e "$venv/.done" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet -r "../mlflow/requirements-$version.txt"
    touch "$venv/.done"
fi
export BENCH_TMP
BENCH_TMP=$(mktemp -d)
trap 'rm -rf "$BENCH_TMP"' EXIT
mkdir -p "$(dirname "$out")"
out=$(cd "$(dirname "$out")" && pwd)/$(basename "$out")
: > "$out"

cd "$repo"
cargo bench --quiet --profile "$profile" --bench registry --no-run
# Words of OURS and THEIRS are arguments of their own.
# shellcheck disable=SC2086
taskset -c 0 cargo bench --quiet --profile "$profile" --bench registry -- ${OURS:-} | tee -a "$out"
cd - > /dev/null
# shellcheck disable=SC2086
taskset -c 0 "$venv/bin/python" bench_mlflow.py ${THEIRS:-} 2> "$BENCH_TMP/errors" | tee -a "$out" || {
    cat "$BENCH_TMP/errors" >&2
    exit 1
}
python3 show.py "$out"
