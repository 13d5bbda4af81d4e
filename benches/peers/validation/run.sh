#!/usr/bin/env bash
# Data validation's figures, ours and other validators', side by side, in one session on one machine: JSON lines into OUT,
# a table of all at the end.
#
#   benches/peers/validation/run.sh [OUT]
#
# Needs Python; makes a virtual environment with the validators in the target directory once. All judge the same files with one
# thread on one core; ours is measured again with two threads on two cores. CPU seconds are compared; wall times of a busy
# machine are not. It takes some 20 minutes, 3 GB of disk and 6 GB of memory.
#
# To try it out, smaller: ROWS=1000000 PEERS='polars_by_hand duckdb_by_hand' benches/peers/validation/run.sh
# OURS and ROUNDS are arguments of our bench, DATA is a directory for the files, which stays; PROFILE=dev for a build without
# optimization; GX=no leaves out Great Expectations, which is half of the time.
set -euo pipefail
cd "$(dirname "$0")"
repo=$(cd ../../.. && pwd)
target=${CARGO_TARGET_DIR:-$repo/target}
out=${1:-$target/peers/validation.jsonl}
profile=${PROFILE:-bench}
rows=${ROWS:-1000000,10000000}
venv=$target/peers/bench-validation
if ! cmp -s requirements.txt "$venv/.done"; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet -r requirements.txt
    cp requirements.txt "$venv/.done"
fi
errors=$(mktemp)
trap 'rm -f "$errors"; [ -z "${made:-}" ] || rm -rf "$made"' EXIT
if [ -z "${DATA:-}" ]; then
    made=$(mktemp -d)
    DATA=$made
fi
export DATA
mkdir -p "$(dirname "$out")"
out=$(cd "$(dirname "$out")" && pwd)/$(basename "$out")
: > "$out"

cd "$repo"
ours() { cargo bench --quiet --profile "$profile" --bench validation -- --rows "$rows" --rounds "${ROUNDS:-5}" --dir "$DATA" "$@" | tee -a "$out"; }
cargo bench --quiet --profile "$profile" --bench validation --no-run
ours data
# Words of OURS are arguments of their own. Two threads need two cores, so this is not bound to one.
# shellcheck disable=SC2086
ours ${OURS:-}
cd - > /dev/null

# PEER ROWS HOW ROUNDS: one figure. What cannot be measured is a line that says so.
peer() {
    if ! taskset -c 0 "$venv/bin/python" "$1.py" "$2" "$3" "$4" 2> "$errors" | tee -a "$out"; then
        echo "{\"peer\": \"$1\", \"op\": \"suite:$3\", \"n\": $2, \"rows\": $2, \"missing\": true}" | tee -a "$out"
        tail -n 3 "$errors" >&2
    fi
}
all="polars_by_hand duckdb_by_hand dataframely_schema pandera_polars pandera_pandas pointblank_steps"
for n in ${rows//,/ }; do
    for how in memory files; do
        for name in ${PEERS:-$all}; do
            peer "$name" "$n" "$how" 3
        done
        [ -n "${PEERS:-}" ] || UNIQUE=count peer polars_by_hand "$n" "$how" 3
        [ -n "${PEERS:-}" ] || ENGINE=streaming peer polars_by_hand "$n" "$how" 3
    done
    peer polars_by_hand "$n" footers 5
    peer duckdb_by_hand "$n" footers 5
    if [ "${GX:-yes}" = yes ] && [ -z "${PEERS:-}" ]; then
        peer gx_suite "$n" memory 1
        KEYS=no peer gx_suite "$n" memory 1
    fi
done
python3 show.py "$out"
