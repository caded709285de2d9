#!/usr/bin/env bash
# A flame graph of durable commands in process: flame.sh [FILE]
#
# Watches `profile add` (256 callers, journal in segments) with perf for its five seconds and draws what it saw to FILE,
# docs/performance/flame-append.svg when not given. Symbols are enough: stacks are unwound by the tables that panics need.
# Needs perf (Debian: apt-get install linux-perf) and the right to use it (root, or kernel.perf_event_paranoid <= 1).
set -euo pipefail
cd "$(dirname "$0")/.."
file=${1:-docs/performance/flame-append.svg}

if ! command -v perf >/dev/null 2>&1; then
    echo "skipped: perf is not installed"
    exit 0
fi
cargo build --release --package steadfast-benches
program="${CARGO_TARGET_DIR:-target}/release/steadfast-benches"
work=$(mktemp -d "${CARGO_TARGET_DIR:-target}/flame.XXXXXX")
trap 'rm -rf "$work"' EXIT

# 24 KiB of each stack: the frames of tasks are large.
perf record --quiet --freq 499 --event cpu-clock --call-graph dwarf,24576 --output "$work/perf.data" -- "$program" profile add
perf script --input "$work/perf.data" --no-inline --fields comm,ip,sym 2>"$work/log" >"$work/script" ||
    { cat "$work/log" >&2; exit 1; }
"$program" flame "Durable commands in process, 256 callers, journal in segments" <"$work/script" >"$work/svg"
mkdir -p "$(dirname "$file")"
mv "$work/svg" "$file"
echo "drawn: $file"
