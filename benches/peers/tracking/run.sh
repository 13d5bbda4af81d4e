#!/usr/bin/env bash
# Our figures and MLflow's, side by side, in one session on one machine: JSON lines into OUT, a table at the end.
#
#   benches/peers/tracking/run.sh [OUT]
#
# Needs Python; makes a virtual environment with MLflow in the target directory once. Everything runs on one core (ours
# too), several minutes in all. CPU seconds are compared; wall times of a busy machine are not.
set -euo pipefail
cd "$(dirname "$0")"
repo=$(cd ../../.. && pwd)
target=${CARGO_TARGET_DIR:-$repo/target}
out=${1:-$target/peers/tracking.jsonl}
version=3.17.2
venv=$target/peers/bench-mlflow-$version
if [ ! -e "$venv/.done" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet -r "../mlflow/requirements-$version.txt"
    touch "$venv/.done"
fi
export MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true MLFLOW_ALLOW_FILE_STORE=true
export BENCH_TMP
BENCH_TMP=$(mktemp -d)
trap 'rm -rf "$BENCH_TMP"' EXIT
mkdir -p "$(dirname "$out")"
: > "$out"

(cd "$repo" && cargo bench --quiet --bench tracking --no-run)
(cd "$repo" && taskset -c 0 cargo bench --quiet --bench tracking) | tee -a "$out"

peer() { taskset -c 0 "$venv/bin/python" bench_mlflow.py "$@" 2>> "$BENCH_TMP/errors" | tee -a "$out"; }
for backend in sqlite file; do
    peer --backend $backend --ops startup,log_metric
    peer --backend $backend --ops log_batch,history
    peer --backend $backend --ops search --runs 1000
done
# Seeded with plain SQL, so that only the search is timed; its plan is quadratic, so once is enough.
BENCH_BEST_OF=1 peer --backend sqlite --ops search --runs 10000 --seed sql
"$venv/bin/python" show.py "$out"
