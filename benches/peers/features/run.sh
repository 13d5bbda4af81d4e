#!/usr/bin/env bash
# The feature store's figures, ours and others', side by side, in one session on one machine: JSON lines into OUT, a table of
# all at the end.
#
#   benches/peers/features/run.sh [OUT]
#
# Needs Python and redis-server; makes a virtual environment with Feast, Polars and DuckDB in the target directory once. All read
# the same files with one thread on one core. CPU seconds of the client are compared; wall times of a busy machine are not. It
# takes some 30 minutes, 2 GB of disk and 10 GB of memory.
#
# To try it out, smaller: FEATURES=1000000 ENTITIES=10000 FEAST=no benches/peers/features/run.sh
# DATA is a directory for the files, which stays; PROFILE=dev for a build without optimization.
set -euo pipefail
cd "$(dirname "$0")"
repo=$(cd ../../.. && pwd)
target=${CARGO_TARGET_DIR:-$repo/target}
out=${1:-$target/peers/features.jsonl}
profile=${PROFILE:-bench}
features=${FEATURES:-1000000 10000000}
entities=${ENTITIES:-10000 1000000}
venv=$target/peers/bench-features
if ! cmp -s requirements.txt "$venv/.done"; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet -r requirements.txt
    cp requirements.txt "$venv/.done"
fi
work=$(mktemp -d)
redis=
trap '[ -z "$redis" ] || kill "$redis"; rm -rf "$work"' EXIT
export BENCH_DATA=${DATA:-$work/data}
mkdir -p "$BENCH_DATA" "$(dirname "$out")"
out=$(cd "$(dirname "$out")" && pwd)/$(basename "$out")
scripts=$PWD
: > "$out"

port=${REDIS_PORT:-6399}
redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$work" > /dev/null &
redis=$!
export BENCH_REDIS=127.0.0.1:$port
"$venv/bin/python" -W ignore gen.py

cd "$repo"
cargo bench --quiet --profile "$profile" --features redis --bench features --no-run
taskset -c 0 cargo bench --quiet --profile "$profile" --features redis --bench features -- \
    --features "${features// /,}" --entities "${entities// /,}" --dir "$BENCH_DATA" --redis "redis://$BENCH_REDIS" | tee -a "$out"

# SCRIPT ARGUMENTS: one figure. What cannot be measured is a line that says so. Feast writes its repository where it stands.
cd "$work"
peer() {
    if ! timeout 900 taskset -c 0 "$venv/bin/python" -W ignore "$scripts/$1.py" "${@:2}" 2> errors | grep '^{' | tee -a "$out"; then
        echo "{\"engine\": \"$1\", \"bench\": \"$1\", \"args\": \"${*:2}\", \"missing\": true}" | tee -a "$out"
        tail -n 3 errors >&2
    fi
}
for f in $features; do
    for e in $entities; do
        peer pit_polars "$f" "$e"
        peer pit_polars_semi "$f" "$e"
        peer pit_duckdb "$f" "$e"
        peer pit_duckdb_naive "$f" "$e"
        [ "${FEAST:-yes}" = no ] || peer feast_pit duckdb "$f" "$e"
    done
done
if [ "${FEAST:-yes}" = yes ]; then
    BENCH_MEM_GIB=10 peer feast_pit dask 1000000 10000
    for kind in sqlite redis; do
        peer feast_online "$kind" 10
        peer feast_online "$kind" 50
        peer feast_materialize "$kind" 100000 10 dask
    done
fi
peer redis_floor
python3 "$scripts/show.py" "$out"
