#!/usr/bin/env bash
# Runs a command on a disk that takes its time: slow-disk.sh MILLISECONDS COMMAND...
#
# Every fsync and fdatasync of the command and of all that it starts takes so much longer, whoever calls it:
#
#   benches/slow-disk.sh 2 cargo bench -- appends
#
# The kernel holds them back and asks slow-sync.c, which costs the processors next to nothing (docs/slow-disk.md); how many it
# has held, it says at the end. Needs Linux 5.19 and a C compiler (Debian: apt-get install gcc libc6-dev).
set -euo pipefail
[ $# -gt 1 ] && [[ $1 =~ ^[0-9]+$ ]] || { sed -n '2,/^set/{/^set/!p}' "$0" >&2; exit 2; }
microseconds=$(($1 * 1000))
shift
command -v cc >/dev/null 2>&1 || { echo "slow-disk.sh: no C compiler: apt-get install gcc libc6-dev" >&2; exit 2; }
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
cc -O2 -pthread -o "$made/slow-sync" "$(dirname "$0")/slow-sync.c"
"$made/slow-sync" "$microseconds" "$@"
