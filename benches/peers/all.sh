#!/usr/bin/env bash
# The store beside PostgreSQL, Restate as it comes, and Restate with one partition: all.sh [--quick] [--results DIR]
#
# Builds what is measured and starts the peers with the scripts beside this one, which say what they need. The rounds of
# all of them take turns in one run (docs/performance.md). Without --quick, on an idle machine, it takes some 20 minutes;
# raw results are kept in benches/results unless --results says otherwise.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$root"
results=(--results benches/results)
for argument in "$@"; do
    case $argument in --results | --quick) results=() ;; esac
done
# STEADFAST names another program than the one of this checkout.
[ -n "${STEADFAST:-}" ] || cargo build --profile dist --bin steadfast
cargo build --profile dist --package steadfast-benches
"$here/postgres.sh" "$here/restate.sh" "$here/restate.sh" --one-partition \
    "${CARGO_TARGET_DIR:-target}/dist/steadfast-benches" compare "${results[@]}" "$@"
